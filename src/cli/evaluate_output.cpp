#include "cli/evaluate_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <system_error>
#include <utility>

#include "parallel/launch/launch_environment.h"
#include "parallel/launch/launcher_link.h"
#include "train/metrics/metrics.h"
#include "train/run/weight_origins.h"

namespace lynceus::cli {
namespace {

constexpr size_t kBufferedBytes = 1 << 20;

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

}  // namespace

std::string aligned(const std::vector<std::vector<std::string>>& rows, size_t text_columns) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string text;
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) {
      if (c > 0) text += "  ";
      text += c < text_columns ? fmt::format("{:<{}}", row[c], widths[c])
                               : fmt::format("{:>{}}", row[c], widths[c]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

bool shows_table(const std::string& format) {
  if (format != "auto") return format == "table";
  // mpirun gives its ranks a terminal of their own, whatever its own output is. `lynceus --ranks N`
  // gives them its own output.
  if (!parallel::LauncherLink::is_connected() &&
      parallel::is_launched(parallel::process_environment()))
    return false;
  return isatty(STDOUT_FILENO) == 1;
}

std::string scores_as_table(const Scored& scored, const std::vector<train::SetScore>& scores) {
  std::vector<std::vector<std::string>> rows = {
      {"set", "class", "answers", "baseline", "tokens", "loss", "samples", "damaged"}};
  for (const train::SetScore& set : scores) {
    const train::TaskScore& score = set.score;
    rows.push_back({set.set, set.task, percent(score.answer_accuracy()), percent(score.baseline()),
                    percent(score.token_accuracy()), fmt::format("{:.4f}", score.loss()),
                    fmt::format("{}", score.samples), fmt::format("{}", score.damaged_samples)});
  }
  return fmt::format("run {}, step {}, weights {}, template {}\n\n{}", scored.run, scored.step,
                     train::readable_identity(scored.weights), scored.prompt_template,
                     aligned(rows, 2));
}

std::string scores_as_json(const Scored& scored, const std::vector<train::SetScore>& scores) {
  std::string text;
  for (const train::SetScore& set : scores) {
    train::Metrics line = train::to_metrics(set);
    // The names of version 0.1.0.
    line.push_back({"accuracy", set.score.answer_accuracy()});
    line.push_back({"count", set.score.samples});
    line.push_back({"step", scored.step});
    line.push_back({"run", scored.run});
    line.push_back({"weights", scored.weights});
    line.push_back({"template", scored.prompt_template});
    text += train::to_json(line) + "\n";
  }
  return text;
}

PredictionFile::PredictionFile(std::filesystem::path path)
    : path_(std::move(path)),
      file_(io::File::create(path_.string() +
                             fmt::format(".{:08x}.partial", std::random_device{}()))) {}

PredictionFile::~PredictionFile() {
  std::error_code ignored;
  if (!is_complete_) std::filesystem::remove(file_.path(), ignored);
}

void PredictionFile::add(const train::Prediction& prediction) {
  if (failure_) return;
  lines_ += train::to_json(prediction) + "\n";
  if (lines_.size() < kBufferedBytes) return;
  try {
    flush();
  } catch (const IoError&) {
    failure_ = std::current_exception();
  }
}

void PredictionFile::close() {
  if (failure_) std::rethrow_exception(failure_);
  flush();
  file_.sync();
  file_.close();
  io::rename_file(file_.path(), path_);
  is_complete_ = true;
}

void PredictionFile::flush() {
  file_.append(lines_.data(), lines_.size());
  lines_.clear();
}

}  // namespace lynceus::cli
