// Turns totals of steps and scores of validations into lines.
#include "train/run/run_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/log.h"
#include "core/text/units.h"
#include "io/files/file.h"

namespace lynceus::train {
namespace {

/// The step of a line of damaged.tsv or samples.tsv.
std::optional<int64_t> step_of_row(const std::string& line) {
  int64_t step = 0;
  const char* end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data(), end, step);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '\t') return std::nullopt;
  return step;
}

/// The step of a line of sample_answers.jsonl.
std::optional<int64_t> step_of_answer(const std::string& line) {
  constexpr std::string_view kBegin = "{\"step\": ";
  int64_t step = 0;
  if (!line.starts_with(kBegin) || !line.ends_with('}')) return std::nullopt;
  const auto parsed = std::from_chars(line.data() + kBegin.size(), line.data() + line.size(), step);
  return parsed.ec == std::errc() ? std::optional(step) : std::nullopt;
}

}  // namespace

RunReport::RunReport(const Runtime& rt, const RunConfig& config, const std::filesystem::path& run)
    : rt_(rt),
      config_(config),
      metrics_(run),
      damaged_(run, "damaged", ".tsv", step_of_row),
      samples_(run, "samples", ".tsv", step_of_row),
      sample_answers_(run, "sample_answers", ".jsonl", step_of_answer) {}

void RunReport::cut_after(int64_t step) {
  metrics_.cut_after(step);
  damaged_.cut_after(step);
  samples_.cut_after(step);
  // A validation that is missing is repeated, with its answers.
  sample_answers_.cut_after(metrics_.has_validation(step) ? step : step - 1);
}

void RunReport::write_shares(const std::vector<std::string>& shares) const {
  log::debug("patch features computed (micro-batches kept) by rank: {}", fmt::join(shares, ", "));
}

void RunReport::write_damaged(const std::vector<std::string>& rows) {
  if (!writes()) return;
  damaged_.append(fmt::format("{}", fmt::join(rows, "")));
  for (const std::string& text : rows)
    if (!text.empty()) log::warn("damaged media, replaced and not scored: {}", text);
}

void RunReport::write_samples(const std::string& rows) {
  if (writes()) samples_.append(rows);
}

void RunReport::write_step(const StepDone& step, const RunPosition& position, Progress* progress) {
  const auto& [prepared, result, lr, seconds] = step;
  const StepTotals& totals = result.totals;
  balance_.add(prepared.replica_imbalance, totals.most_patch_tokens(), totals.patch_tokens(),
               rt_.grid.world->size());
  if (writes() && !result.updated && result.finite)
    log::warn("step {}: no scored token, no parameter was updated", position.step);
  progress->note(fmt::format("loss of this step {:.4f}", result.loss));
  progress->advance();
  if (!writes()) return;
  const double samples_per_s = static_cast<double>(config_.train.global_batch_size) / seconds;
  Metrics metrics = {{"step", position.step},
                     {"kind", std::string("step")},
                     {"samples_seen", position.samples_seen},
                     {"loss", result.loss},
                     {"scored_tokens", totals.scored_tokens},
                     {"grad_norm", result.gradient_norm},
                     {"lr", lr},
                     {"step_seconds", seconds},
                     {"samples_per_s", samples_per_s},
                     {"tokens_per_s", static_cast<double>(totals.tokens) / seconds},
                     {"patch_tokens", totals.patch_tokens()},
                     {"patch_tokens_most", totals.most_patch_tokens()},
                     {"replica_imbalance", prepared.replica_imbalance}};
  if (totals.cut_tokens > 0) metrics.push_back({"cut_tokens", totals.cut_tokens});
  if (totals.damaged_samples > 0) metrics.push_back({"damaged_samples", totals.damaged_samples});
  metrics_.append(metrics);
  if (result.updated)
    window_.add(result.loss, result.gradient_norm, seconds, config_.train.global_batch_size);
  if (config_.log.every > 0 && position.step % config_.log.every == 0) log_window(position, lr);
}

/// Means over the steps since the last such line. Where a step takes longer than a second, its time
/// says more than a rate below 1.
void RunReport::log_window(const RunPosition& position, double lr) {
  if (window_.steps() == 0) return;
  const std::string rate = window_.seconds_per_step() > 1
                               ? fmt::format("  {:.2f} s/step", window_.seconds_per_step())
                               : "";
  log::info(
      "step {} of {}  epoch {:.2f}  mean loss {:.4f}  norm {:.3f}  lr {:.2e}  {:.1f} samples/s{}",
      position.step, config_.train.steps,
      static_cast<double>(position.samples_seen) / static_cast<double>(samples_of_epoch_),
      window_.loss(), window_.gradient_norm(), lr, window_.samples_per_second(), rate);
  window_ = {};
}

void RunReport::write_nonfinite(const NonfiniteStep& bad) {
  if (!writes()) return;
  std::vector<std::string> samples;
  for (const auto& [index, sample] : bad.origin.samples) samples.push_back(sample);
  const std::vector<int64_t> ranks(bad.origin.ranks.begin(), bad.origin.ranks.end());
  metrics_.append({{"step", bad.step},
                   {"kind", std::string("nonfinite")},
                   {"policy", bad.policy},
                   {"loss", bad.result.loss},
                   {"grad_norm", bad.result.gradient_norm},
                   {"place", std::string(name_of(bad.origin.place))},
                   {"ranks", ranks},
                   {"parameters", bad.origin.parameters},
                   {"samples", samples}});
}

void RunReport::write_validation(int64_t step, const std::vector<SetScore>& scores) {
  if (!writes()) return;
  std::vector<Metrics> lines;
  for (const SetScore& set : scores) {
    const TaskScore& score = set.score;
    Metrics metrics = {
        {"step", step}, {"kind", std::string("validation")}, {"validation", set.task}};
    for (auto& entry : to_metrics(set)) metrics.push_back(std::move(entry));
    lines.push_back(std::move(metrics));
    log::info(
        "validation of {}, class {}: loss {:.4f}, token accuracy {:.1f} %, answer accuracy {:.1f} "
        "% "
        "(baseline {:.1f} %), {}",
        set.set, set.task, score.loss(), 100 * score.token_accuracy(),
        100 * score.answer_accuracy(), 100 * score.baseline(), counted(score.samples, "sample"));
  }
  metrics_.append_all(lines);
}

void RunReport::write_sample_answers(const std::string& lines) {
  if (writes() && !lines.empty()) sample_answers_.append(lines);
}

void RunReport::flush() {
  if (!writes()) return;
  metrics_.flush();
  damaged_.flush();
  samples_.flush();
  sample_answers_.flush();
}

void RunReport::make_durable() const {
  if (!writes()) return;
  try {
    for (const auto& path :
         {metrics_.path(), damaged_.path(), samples_.path(), sample_answers_.path()})
      if (io::file_exists(path)) io::sync_file(path);
    io::sync_directory(metrics_.path().parent_path());
  } catch (const Error& error) {
    log::warn("a loss of power may take lines about steps before the next checkpoint: {}",
              error.what());
  }
}

void RunReport::finish() {
  write_balance();
  if (!writes()) return;
  const int64_t lost =
      metrics_.flush() + damaged_.flush() + samples_.flush() + sample_answers_.flush();
  if (lost > 0)
    log::warn("{} about steps of this start could not be written", counted(lost, "line"));
}

void RunReport::write_balance() const {
  if (rt_.grid.world->size() == 1 || balance_.steps() == 0) return;
  log::info(
      "balance over {}: the busiest replica had {:.3f} times the mean work, the busiest rank "
      "{:.3f} times the mean number of patch features (1 is even)",
      counted(balance_.steps(), "step"), balance_.replicas(), balance_.ranks());
}

}  // namespace lynceus::train
