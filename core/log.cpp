// Sets up spdlog: a terminal sink with level and prefix by rank, and a file sink. The logger has
// both from the start, since its list of sinks has no lock.
#include "core/log.h"

#include <spdlog/details/log_msg_buffer.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

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

constexpr size_t kMostKept = 1000;  // lines of a start that never opens a file

/// The file, once it is open. Until then rank 0 keeps the lines for it.
class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// Without a file. `keeps`: lines wait for one.
  void restart(bool keeps) {
    const std::lock_guard lock(mutex_);
    file_.reset();
    kept_.clear();
    keeps_ = keeps;
  }

  /// spdlog_ex if the file cannot be opened.
  void open(const std::string& file) {
    auto opened = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    opened->set_pattern("%Y-%m-%dT%T.%e %L %v");
    const std::lock_guard lock(mutex_);
    for (const auto& line : kept_) opened->log(line);
    opened->flush();
    kept_.clear();
    keeps_ = false;
    file_ = std::move(opened);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (file_ != nullptr)
      file_->log(line);
    else if (keeps_ && kept_.size() < kMostKept)
      kept_.emplace_back(line);
  }
  void flush_() override {
    if (file_ != nullptr) file_->flush();
  }

 private:
  bool keeps_ = false;
  std::vector<spdlog::details::log_msg_buffer> kept_;
  std::shared_ptr<spdlog::sinks::basic_file_sink_mt> file_;
};

const std::shared_ptr<FileSink>& file_sink() {
  static const auto sink = std::make_shared<FileSink>();
  return sink;
}

}  // namespace

void internal::write(Level level, fmt::string_view format, fmt::format_args args) {
  spdlog::logger& logger = *spdlog::default_logger_raw();
  if (logger.should_log(level_of(level)))
    logger.log(level_of(level), spdlog::string_view_t(fmt::vformat(format, args)));
}

void internal::write_to_file(Level level, const std::string& text) {
  file_sink()->log({"lynceus", level_of(level), text});
  file_sink()->flush();
}

void set_up(int rank, int world_size, const std::string& level) {
  auto terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  const auto wanted = spdlog::level::from_str(level);
  if (wanted == spdlog::level::off && level != "off")
    throw UsageError("log.level: expected trace, debug, info, warn, error or off, found '{}'",
                     level);
  terminal->set_level(rank == 0 ? wanted : std::max(wanted, spdlog::level::warn));
  file_sink()->restart(/*keeps=*/rank == 0);
  file_sink()->set_level(spdlog::level::info);
  auto logger =
      std::make_shared<spdlog::logger>("lynceus", spdlog::sinks_init_list{terminal, file_sink()});
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
  file_sink()->open(file);
  spdlog::default_logger()->flush_on(spdlog::level::info);
} catch (const spdlog::spdlog_ex& error) {
  warn("no log file: {}", error.what());
}

}  // namespace lynceus::log
