// Progress of work that takes longer than seconds: rate and time left. On a terminal one line,
// redrawn in place at most five times a second; otherwise (a log) a plain line at most every ten
// seconds, and the last.
//
//   Progress progress("prepare", samples, "samples");
//   for (...) { ...; progress.advance(); progress.note("3 skipped"); }
//   progress.finish();
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace lynceus {

struct ProgressOptions {
  std::FILE* file = stderr;            ///< null: silent, for all ranks except the one that prints
  int64_t done_before = 0;             ///< done by an earlier run: counted, but not in the rate
  std::optional<bool> terminal = {};   ///< absent: ask the file
  std::function<double()> clock = {};  ///< seconds; empty: the steady clock
};

/// Thread-safe.
class Progress {
 public:
  /// total in units; 0: unknown, so neither share nor time left are shown.
  Progress(std::string what, int64_t total, std::string unit, ProgressOptions options = {});
  /// A terminal line that was never finished is left standing, ended by a line break.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(int64_t count = 1);
  /// Shown at the end of the line from the next drawing on.
  void note(std::string text);
  /// Draws the last line: what was done, in what time, at which rate. Once only.
  void finish();

 private:
  void draw(double now);
  std::string with_unit(const std::string& number) const;
  std::string line(double now) const;
  std::string last_line(double now) const;

  const std::string what_;
  const int64_t total_;
  const std::string unit_;
  std::FILE* const file_;
  const bool terminal_;
  const std::function<double()> clock_;
  const double begin_;

  std::mutex mutex_;
  int64_t before_;
  int64_t done_;
  double drawn_;  // when the line was last drawn
  bool line_open_ = false;
  bool finished_ = false;
  std::string note_;
};

/// Progress in MiB that is advanced by bytes. Not thread-safe.
class ByteProgress {
 public:
  ByteProgress(const std::string& what, uint64_t bytes, ProgressOptions options = {})
      : progress_(what, static_cast<int64_t>(bytes >> 20), "MiB", std::move(options)) {}
  void advance(uint64_t bytes) {
    left_ += bytes;
    progress_.advance(static_cast<int64_t>(left_ >> 20));
    left_ %= 1 << 20;
  }
  void finish() { progress_.finish(); }

 private:
  Progress progress_;
  uint64_t left_ = 0;  // less than 1 MiB
};

}  // namespace lynceus
