// One logger a process (spdlog), prefixed with the rank; rank 0 speaks on the terminal, the others
// only warn. log::info("...", args) with fmt formatting.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace lynceus::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Call once, when the rank is known. level: trace, debug, info, warn, error.
void set_up(int rank, int world_size, const std::string& level);
/// Also appends to `file`, plain, all levels from info, its folder made. A file that cannot be
/// opened is a warning.
void add_file(const std::string& file);

}  // namespace lynceus::log
