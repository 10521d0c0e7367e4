// A text file in the run directory that grows with the steps, such as metrics.jsonl. A run that
// resumes from an earlier step moves the lines of later steps to another file. On rank 0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace lynceus::train {

/// Appends lines; each is flushed, so a crash loses at most one. Lines that cannot be written, for
/// example to a full disk, are kept and written together with the next line.
class StepLines {
 public:
  /// The step of a line; nullopt if the line is incomplete.
  using StepOf = std::function<std::optional<int64_t>(const std::string& line)>;

  /// RUN/`stem``extension`; cut lines go to RUN/`stem`.superseded`extension`.
  StepLines(const std::filesystem::path& run_directory, const std::string& stem,
            const std::string& extension, StepOf step_of);
  /// Keeps the lines of steps up to `step`, atomically. The others, including an incomplete last
  /// one, are appended to the superseded file first. IoError: then no line is lost.
  void cut_after(int64_t step);
  /// `lines` end with a line break.
  void append(const std::string& lines);

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path superseded_;
  StepOf step_of_;
  std::string unwritten_;
};

}  // namespace lynceus::train
