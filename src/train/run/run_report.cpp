// See run_report.h.
#include "train/run/run_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>

#include "core/log.h"
#include "train/data/sample_lines.h"

namespace lynceus::train {
namespace {

constexpr int64_t kFewSamples = 200;  // before this many, a share of bad ones says little

/// The step of a line of damaged.tsv or samples.tsv.
std::optional<int64_t> step_of_row(const std::string& line) {
  int64_t step = 0;
  const char* end = line.data() + line.size();
  const auto parsed = std::from_chars(line.data(), end, step);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '\t') return std::nullopt;
  return step;
}

}  // namespace

RunReport::RunReport(const Runtime& rt, const RunConfig& config, const std::filesystem::path& run)
    : rt_(rt),
      config_(config),
      metrics_(run),
      damaged_(run, "damaged", ".tsv", step_of_row),
      samples_(run, "samples", ".tsv", step_of_row) {}

void RunReport::cut_after(int64_t step) {
  metrics_.cut_after(step);
  damaged_.cut_after(step);
  samples_.cut_after(step);
}

void RunReport::tell_step(const StepDone& step, const std::vector<const io::Dataset*>& datasets,
                          RunPosition* position, Progress* progress) {
  const auto& [prepared, result, lr, seconds] = step;
  int64_t rows = 0;
  for (const model::PackedBatch& micro_batch : prepared.batch.micro_batches)
    rows += micro_batch.tokens();
  rows = rt_.grid.data->all_reduce(rows);
  const int64_t cut = rt_.grid.data->all_reduce(prepared.cut_tokens);
  const int64_t patches = result.vision.patch_tokens;
  const int64_t patch_tokens = rt_.grid.world->all_reduce(patches);
  const int64_t most_patches = rt_.grid.world->all_reduce(patches, parallel::ReduceOp::kMax);
  if (balance_.steps() == 0) tell_shares(result);
  balance_.add(prepared.replica_imbalance, most_patches, patch_tokens, rt_.grid.world->size());
  const int64_t damaged = rt_.grid.data->all_reduce(prepared.damaged_in_replica);
  if (damaged > 0) list_damaged(prepared, damaged, position);
  if (config_.log.samples) {
    const std::string lines = sample_lines(rt_, position->step, prepared, datasets);
    if (speaks()) samples_.append(lines);
  }
  if (!result.updated) log::warn("step {}: no scored token, nothing was updated", position->step);
  progress->note(fmt::format("loss {:.4f}", result.loss));
  progress->advance();
  if (!speaks()) return;
  const double samples_per_s = static_cast<double>(config_.train.global_batch_size) / seconds;
  Metrics metrics = {{"step", position->step},
                     {"samples_seen", position->samples_seen},
                     {"loss", result.loss},
                     {"scored_tokens", result.scored_tokens},
                     {"grad_norm", result.gradient_norm},
                     {"lr", lr},
                     {"step_seconds", seconds},
                     {"samples_per_s", samples_per_s},
                     {"tokens_per_s", static_cast<double>(rows) / seconds},
                     {"patch_tokens", patch_tokens},
                     {"patch_tokens_most", most_patches},
                     {"replica_imbalance", prepared.replica_imbalance}};
  if (cut > 0) metrics.push_back({"cut_tokens", cut});
  if (damaged > 0) metrics.push_back({"damaged_samples", damaged});
  metrics_.append(metrics);
  if (config_.log.every > 0 && position->step % config_.log.every == 0)
    log::info("step {}  loss {:.4f}  norm {:.3f}  lr {:.2e}  {:.1f} samples/s", position->step,
              result.loss, result.gradient_norm, lr, samples_per_s);
}

/// How the first step was spread: patch tokens that each rank encoded, micro-batches it held.
void RunReport::tell_shares(const StepResult& result) const {
  const auto shares = rt_.grid.world->all_gather(
      fmt::format("{} ({})", result.vision.patch_tokens, result.most_saved));
  log::info("patch tokens encoded (micro-batches held) by rank: {}", fmt::join(shares, ", "));
}

/// Damaged media was replaced and is not scored; here it is listed and counted.
void RunReport::list_damaged(const PreparedStep& prepared, int64_t damaged, RunPosition* position) {
  std::string mine;
  for (const DamagedSample& sample : prepared.damaged)
    mine += fmt::format("{}\t{}\t{}\n", position->step, sample.index, sample.reason);
  const auto all = rt_.grid.world->all_gather(mine);
  if (speaks()) {
    damaged_.append(fmt::format("{}", fmt::join(all, "")));
    for (const std::string& text : all)
      if (!text.empty()) log::warn("damaged media, replaced and not scored: {}", text);
  }
  position->damaged_samples += damaged;
  const auto samples = static_cast<double>(position->samples_seen);
  if (position->samples_seen >= kFewSamples &&
      static_cast<double>(position->damaged_samples) / samples > config_.data.max_bad)
    throw parallel::AgreedError(
        ExitCode::kInput,
        fmt::format("{} of {} samples have damaged media, more than data.max_bad = {}: see {}",
                    position->damaged_samples, position->samples_seen, config_.data.max_bad,
                    damaged_.path().string()));
}

void RunReport::tell_validation(int64_t step, const std::map<std::string, TaskScore>& scores) {
  if (!speaks()) return;
  for (const auto& [task, score] : scores) {
    metrics_.append({{"step", step},
                     {"validation", task},
                     {"samples", score.samples},
                     {"damaged_samples", score.damaged_samples},
                     {"loss", score.loss()},
                     {"token_accuracy", score.token_accuracy()},
                     {"answer_accuracy", score.answer_accuracy()},
                     {"baseline", score.baseline()}});
    log::info(
        "validation {}: loss {:.4f}, tokens {:.1f} %, answers {:.1f} % (majority {:.1f} %) of {}",
        task, score.loss(), 100 * score.token_accuracy(), 100 * score.answer_accuracy(),
        100 * score.baseline(), score.samples);
  }
}

void RunReport::tell_balance() const {
  if (rt_.grid.world->size() == 1 || balance_.steps() == 0) return;
  log::info(
      "busiest over mean, of {} steps: replicas {:.3f} by planned work, ranks {:.3f} by patch "
      "tokens",
      balance_.steps(), balance_.replicas(), balance_.ranks());
}

}  // namespace lynceus::train
