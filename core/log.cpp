// Sets up spdlog: a terminal sink with level and prefix by rank, and a file sink.
#include "core/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.h"

namespace lynceus::log {

namespace {

spdlog::level::level_enum level_of(internal::Level level) {
  switch (level) {
    case internal::Level::kDebug:
      return spdlog::level::debug;
    case internal::Level::kInfo:
      return spdlog::level::info;
    case internal::Level::kWarn:
      return spdlog::level::warn;
    case internal::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void internal::write(Level level, fmt::string_view format, fmt::format_args args) {
  spdlog::logger& logger = *spdlog::default_logger_raw();
  if (logger.should_log(level_of(level)))
    logger.log(level_of(level), spdlog::string_view_t(fmt::vformat(format, args)));
}

void internal::write_to_file(Level level, const std::string& text) {
  const auto& sinks = spdlog::default_logger()->sinks();
  for (size_t i = 1; i < sinks.size(); ++i) {  // the first one is the terminal
    sinks[i]->log({"lynceus", level_of(level), text});
    sinks[i]->flush();
  }
}

void set_up(int rank, int world_size, const std::string& level) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  const auto wanted = spdlog::level::from_str(level);
  if (wanted == spdlog::level::off && level != "off")
    throw UsageError("log.level: expected trace, debug, info, warn, error or off, found '{}'",
                     level);
  terminal->set_level(rank == 0 ? wanted : std::max(wanted, spdlog::level::warn));
  auto logger = std::make_shared<spdlog::logger>("lynceus", terminal);
  logger->set_level(std::min(wanted, spdlog::level::info));
  // The cursor may be on a progress line: erase the rest of it.
  const std::string message = isatty(STDERR_FILENO) == 1 ? "%v\x1b[K" : "%v";
  const size_t width = std::to_string(world_size - 1).size();
  logger->set_pattern(world_size > 1 ? fmt::format("%T %L {:>{}}  {}", rank, width, message)
                                     : "%T %L  " + message);
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

void add_file(const std::string& file) try {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
  sink->set_level(spdlog::level::info);
  sink->set_pattern("%Y-%m-%dT%T.%e %L %v");
  spdlog::default_logger()->sinks().push_back(std::move(sink));
  spdlog::default_logger()->flush_on(spdlog::level::info);
} catch (const spdlog::spdlog_ex& error) {
  warn("no log file: {}", error.what());
}

}  // namespace lynceus::log
