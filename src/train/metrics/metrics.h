// metrics.jsonl: one JSON object per step, separate objects for validation. Lines after the step
// that a run resumes from move to metrics.superseded.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "train/metrics/step_lines.h"

namespace lynceus::train {

using MetricValue =
    std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<std::string>>;
using Metrics = std::vector<std::pair<std::string, MetricValue>>;

/// {"step": 1, "loss": 2.5}. Numbers are written so that reading gives the same bits; null if not
/// finite.
std::string to_json(const Metrics& metrics);

/// On rank 0.
class MetricsFile {
 public:
  explicit MetricsFile(const std::filesystem::path& run_directory);
  /// Keeps the lines of steps up to `step` (train/metrics/step_lines.h).
  void cut_after(int64_t step);
  void append(const Metrics& metrics) { append_all({metrics}); }
  /// All with one write, so that a crash leaves all or none.
  void append_all(const std::vector<Metrics>& lines);
  /// As StepLines::flush().
  int64_t flush() { return lines_.flush(); }
  const std::filesystem::path& path() const { return lines_.path(); }
  /// Whether the file has lines of a validation after `step` steps.
  bool has_validation(int64_t step) const;

 private:
  StepLines lines_;
};

}  // namespace lynceus::train
