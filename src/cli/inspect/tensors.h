// The reports of `lynceus inspect` on named tensors: in a checkpoint, a run, weight files.
#pragma once

#include <filesystem>

#include "cli/inspect/report.h"

namespace lynceus::cli {

/// Each reads one kind of path. InputError if it is damaged or of another kind.
Report inspect_checkpoint(const std::filesystem::path& path, const InspectConfig& config);
Report inspect_run(const std::filesystem::path& path, const InspectConfig& config);
Report inspect_weights(const std::filesystem::path& path, const InspectConfig& config);

}  // namespace lynceus::cli
