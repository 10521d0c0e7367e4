// Parquet files, which are not read.
#pragma once

#include <filesystem>

namespace lynceus::prepare {

/// InputError with the command that converts the file, if it is a parquet file.
void refuse_parquet(const std::filesystem::path& path);

}  // namespace lynceus::prepare
