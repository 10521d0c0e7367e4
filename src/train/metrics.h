// metrics.jsonl: one JSON object a step, separate objects for validation. Lines behind the step a
// run resumes from move to metrics.superseded.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lynceus {

using MetricValue = std::variant<int64_t, double, std::string>;
using Metrics = std::vector<std::pair<std::string, MetricValue>>;

/// {"step": 1, "loss": 2.5}; numbers so that they read back to the same bits; not finite: null.
std::string to_json(const Metrics& metrics);

/// Appends lines; each is flushed, so a crash loses no more than one. Lines that a full disk does
/// not take are kept and written with the next one that it does. On rank 0.
class MetricsFile {
 public:
  explicit MetricsFile(std::filesystem::path run_directory);
  /// Keeps the lines of steps up to `step`, atomically; the others are appended to
  /// metrics.superseded.jsonl. A torn last line goes there too.
  void cut_after(int64_t step);
  void append(const Metrics& metrics);

 private:
  bool write_unwritten();

  std::filesystem::path path_;
  std::filesystem::path superseded_;
  std::string unwritten_;
};

}  // namespace lynceus
