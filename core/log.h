// One logger a process (spdlog), prefixed with the rank. Rank 0 logs to the terminal from the given
// level, the other ranks only warnings and errors. log::info("...", args) with fmt formatting.
#pragma once

#include <fmt/core.h>

#include <string>

namespace lynceus::log {

namespace internal {

enum class Level { kDebug, kInfo, kWarn, kError };
void write(Level level, fmt::string_view format, fmt::format_args args);
void write_to_file(Level level, const std::string& text);

}  // namespace internal

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  internal::write(internal::Level::kDebug, format, fmt::make_format_args(args...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  internal::write(internal::Level::kInfo, format, fmt::make_format_args(args...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  internal::write(internal::Level::kWarn, format, fmt::make_format_args(args...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  internal::write(internal::Level::kError, format, fmt::make_format_args(args...));
}

/// Writes to the file of add_file only: for what the terminal gets elsewhere.
inline void file_error(const std::string& text) {
  internal::write_to_file(internal::Level::kError, text);
}
inline void file_warn(const std::string& text) {
  internal::write_to_file(internal::Level::kWarn, text);
}

/// Call once, when the rank is known. level: trace, debug, info, warn, error, off.
void set_up(int rank, int world_size, const std::string& level);
/// Also appends plain lines of level info and above to `file`, whose directory is created: on rank
/// 0 those since set_up() (at most 1,000) too. A file that cannot be opened is logged as a warning.
/// Other threads may log meanwhile.
void add_file(const std::string& file);

}  // namespace lynceus::log
