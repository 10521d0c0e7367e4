// The report of `lynceus inspect` on a dataset shard.
#pragma once

#include <filesystem>

#include "cli/inspect/report.h"

namespace lynceus::cli {

/// Counts, one sample if --sample is given. Writes images for --extract. InputError if the shard is
/// damaged.
Report inspect_shard(const std::filesystem::path& path, const InspectConfig& config);

}  // namespace lynceus::cli
