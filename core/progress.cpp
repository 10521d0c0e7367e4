// When a progress line is drawn, and its text: share, rate, time left.
#include "core/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/text/units.h"

namespace lynceus {
namespace {

constexpr double kTerminalSeconds = 0.2;
constexpr double kLogSeconds = 10.0;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// "0:07", "12:05", "3:04:05".
std::string duration_text(double seconds) {
  const auto rounded = static_cast<int64_t>(std::llround(seconds));
  if (rounded < 3600) return fmt::format("{}:{:02}", rounded / 60, rounded % 60);
  return fmt::format("{}:{:02}:{:02}", rounded / 3600, rounded / 60 % 60, rounded % 60);
}

std::string rate_text(double rate) {
  if (rate >= 100) return fmt::format("{:.0f}", rate);
  return fmt::format("{:.3g}", rate);
}

/// A line that wraps cannot be redrawn in place.
size_t terminal_columns(std::FILE* file) {
  winsize size{};
  if (ioctl(fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

Progress::Progress(std::string what, int64_t total, std::string unit, ProgressOptions options)
    : what_(std::move(what)),
      total_(total),
      unit_(std::move(unit)),
      file_(options.file),
      terminal_(options.terminal.value_or(file_ != nullptr && isatty(fileno(file_)) == 1)),
      clock_(options.clock ? std::move(options.clock) : steady_seconds),
      begin_(clock_()),
      before_(options.done_before),
      done_(options.done_before),
      drawn_(begin_) {}

Progress::~Progress() {
  if (line_open_) std::fputs("\n", file_);
}

void Progress::advance(int64_t count) {
  const std::lock_guard lock(mutex_);
  done_ += count;
  if (file_ == nullptr || finished_) return;
  const double now = clock_();
  if (now - drawn_ < (terminal_ ? kTerminalSeconds : kLogSeconds)) return;
  draw(now);
}

void Progress::note(std::string text) {
  const std::lock_guard lock(mutex_);
  note_ = std::move(text);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (file_ == nullptr || finished_) return;
  finished_ = true;
  line_open_ = false;
  std::fputs(fmt::format("{}{}\n", terminal_ ? "\r\x1b[K" : "", last_line(clock_())).c_str(),
             file_);
  std::fflush(file_);
}

void Progress::draw(double now) {
  drawn_ = now;
  std::string text = line(now);
  if (terminal_) {
    text.resize(std::min(text.size(), terminal_columns(file_) - 1));
    // The cursor ends at the left, so that a log line overwrites this one.
    std::fputs(fmt::format("\r\x1b[K{}\r", text).c_str(), file_);
    line_open_ = true;
  } else {
    std::fputs((text + '\n').c_str(), file_);
  }
  std::fflush(file_);
}

std::string Progress::with_unit(const std::string& number) const {
  return number + " " + noun_of(number, unit_);
}

std::string Progress::line(double now) const {
  const double seconds = now - begin_;
  const double rate = seconds > 0 ? static_cast<double>(done_ - before_) / seconds : 0.0;
  std::string text = what_;
  if (total_ > 0)
    text += fmt::format("  {}/{} ({} %)", done_, with_unit(std::to_string(total_)),
                        100 * done_ / total_);
  else
    text += "  " + with_unit(std::to_string(done_));
  text += fmt::format("  {}/s", with_unit(rate_text(rate)));
  if (total_ > 0 && rate > 0)
    text += fmt::format(
        "  {} left",
        duration_text(static_cast<double>(std::max<int64_t>(0, total_ - done_)) / rate));
  else
    text += fmt::format("  {} so far", duration_text(seconds));
  if (!note_.empty()) text += "  " + note_;
  return text;
}

std::string Progress::last_line(double now) const {
  const double seconds = now - begin_;
  std::string text = fmt::format("{}  {} in {}", what_, with_unit(std::to_string(done_ - before_)),
                                 duration_text(seconds));
  if (seconds > 0)
    text +=
        fmt::format(", {}/s", with_unit(rate_text(static_cast<double>(done_ - before_) / seconds)));
  if (!note_.empty()) text += "  " + note_;
  return text;
}

}  // namespace lynceus
