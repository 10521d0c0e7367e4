// A text file in the run directory that grows with the steps, such as metrics.jsonl. A run that
// resumes from an earlier step moves the lines of later steps to another file. On rank 0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "io/files/file.h"

namespace lynceus::train {

/// Appends lines; each is flushed, so a crash loses at most one. Lines that cannot be written, for
/// example to a full disk, are kept and written together with the next line, or by flush(). The
/// file stays open: after another process has taken over the run and cut the file, lines of this
/// process go into a file without a name.
class StepLines {
 public:
  /// The step of a line; nullopt if the line is incomplete.
  using StepOf = std::function<std::optional<int64_t>(const std::string& line)>;

  /// RUN/`stem``extension`; cut lines go to RUN/`stem`.superseded`extension`.
  StepLines(const std::filesystem::path& run_directory, const std::string& stem,
            const std::string& extension, StepOf step_of);
  /// Keeps the lines of steps up to `step`, atomically, in a new file. The others, including an
  /// incomplete last one, are appended to the superseded file first. IoError: then no line is lost.
  /// Of lines that are kept those of later steps are dropped.
  void cut_after(int64_t step);
  /// `lines` end with a line break.
  void append(const std::string& lines);
  /// Tries again to write lines that are kept. Returns how many could not be written.
  int64_t flush();

  const std::filesystem::path& path() const { return path_; }

 private:
  struct Parts {
    std::string kept, dropped;
  };
  /// Lines of steps up to `step`, and the others.
  Parts parts_of(const std::string& text, int64_t step) const;

  std::filesystem::path path_;
  std::filesystem::path superseded_;
  StepOf step_of_;
  std::string unwritten_;
  bool has_warned_ = false;  // since lines are kept
  io::File file_;
};

}  // namespace lynceus::train
