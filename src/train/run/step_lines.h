// A text file in the run directory that grows with the steps: metrics.jsonl, damaged.tsv. A run
// that goes back behind some of its lines moves them to another file. On rank 0.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace lynceus::train {

/// Appends lines; each is flushed, so a crash loses no more than one. Lines that a full disk does
/// not take are kept and written with the next one that it does.
class StepLines {
 public:
  /// The step of a line; nothing if it is torn.
  using StepOf = std::function<std::optional<int64_t>(const std::string& line)>;

  /// RUN/`stem``extension`; cut lines go to RUN/`stem`.superseded`extension`.
  StepLines(const std::filesystem::path& run_directory, const std::string& stem,
            const std::string& extension, StepOf step_of);
  /// Keeps the lines of steps up to `step`, atomically; the others, a torn last one too, are
  /// appended to the superseded file first. IoError, and then nothing is lost.
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
