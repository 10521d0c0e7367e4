// The ranges of the sections [parallel] [train] [optimizer] [data] [checkpoint] [log]. All faults
// are reported at once before a run begins.
#include "train/config.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "parallel/grid.h"
#include "parallel/overlap.h"
#include "parallel/schedule.h"

namespace lynceus::train {
namespace {

constexpr int64_t kMostThreads = 1024;
constexpr int64_t kMostSamples = 1 << 24;  // the plan of a step is kept in memory

/// Of the text of a key that is 0 or more; nullopt: it is no such number.
std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

}  // namespace

void ParallelConfig::check(ConfigFaults* faults) const {
  faults->within("parallel.tensor", tensor, 1, parallel::kMaxAxis);
  faults->within("parallel.pipeline", pipeline, 1, parallel::kMaxAxis);
  faults->within("parallel.data", data, 0, parallel::kMaxAxis);
  const auto parses = [&](const auto& parse) {
    try {
      parse();
    } catch (const UsageError& error) {
      faults->add(error.what());
    }
  };
  parses([&] { parallel::parse_schedule_kind(schedule); });
  parses([&] { parallel::parse_overlap(overlap); });
}

void MicroBatchConfig::check(ConfigFaults* faults) const {
  faults->at_least("train.micro_batch_tokens", micro_batch_tokens, 1);
  faults->at_least("train.vision_window", vision_window, 0);
}

void TrainConfig::check(ConfigFaults* faults) const {
  faults->at_least("train.steps", steps, 1);
  faults->within("train.global_batch_size", global_batch_size, 1, kMostSamples);
  MicroBatchConfig::check(faults);
  faults->expect(label_smoothing >= 0 && label_smoothing < 1, "train.label_smoothing",
                 "0 or more and less than 1", label_smoothing);
  faults->at_least("train.validate_every", validate_every, 0);
  faults->at_least("train.validation_samples", validation_samples, 0);
  faults->at_least("train.digest_every", digest_every, 0);
  faults->not_negative("train.max_hours", max_hours);
  faults->within("train.nonfinite_limit", nonfinite_limit, 1, kNonfiniteWindow);
}

void OptimizerConfig::check(ConfigFaults* faults) const {
  faults->not_negative("optimizer.lr", lr);
  faults->not_negative("optimizer.warmup_start_lr", warmup_start_lr);
  faults->expect(warmup_share >= 0 && warmup_share <= 1, "optimizer.warmup_share",
                 "a share from 0 to 1", warmup_share);
  faults->not_negative("optimizer.final_lr", final_lr);
  faults->expect(beta1 >= 0 && beta1 < 1, "optimizer.beta1", "0 or more and less than 1", beta1);
  faults->expect(beta2 >= 0 && beta2 < 1, "optimizer.beta2", "0 or more and less than 1", beta2);
  faults->positive("optimizer.eps", eps);
  faults->not_negative("optimizer.weight_decay", weight_decay);
  faults->not_negative("optimizer.max_grad_norm", max_grad_norm);
}

void DataConfig::check(ConfigFaults* faults) const {
  faults->at_least("data.max_tokens", max_tokens, 1);
  faults->within("data.loader_threads", loader_threads, 0, kMostThreads);
  faults->expect(max_bad >= 0 && max_bad <= 1, "data.max_bad", "a share from 0 to 1", max_bad);
}

void CheckpointConfig::check(ConfigFaults* faults) const {
  const auto expect = [&](const char* key, const std::string& text, const char* expected,
                          bool may_be_zero) {
    const std::optional<double> value = number(text);
    faults->expect(text == "auto" || (value && (may_be_zero || *value > 0)), key, expected,
                   fmt::format("'{}'", text));
  };
  expect("checkpoint.every_minutes", every_minutes, "auto or minutes, 0 or more", true);
  expect("checkpoint.staging_mib", staging_mib, "auto or MiB, 0 or more", true);
  expect("checkpoint.mtbf_hours", mtbf_hours, "auto or hours, more than 0", false);
  faults->at_least("checkpoint.every", every, 0);
  faults->within("checkpoint.keep_last", keep_last, 2, 1 << 20);
  faults->at_least("checkpoint.keep_every", keep_every, 0);
  faults->not_negative("checkpoint.patience", patience);
}

std::optional<double> CheckpointConfig::given_minutes() const { return number(every_minutes); }
std::optional<double> CheckpointConfig::given_staging_mib() const { return number(staging_mib); }
std::optional<double> CheckpointConfig::given_mtbf_hours() const { return number(mtbf_hours); }

void LogConfig::check(ConfigFaults* faults) const {
  faults->at_least("log.every", every, 0);
  faults->expect(trace.empty() || trace_range().last > 0, "log.trace", "FIRST:LAST, counted from 1",
                 fmt::format("'{}'", trace));
}

TraceRange LogConfig::trace_range() const {
  TraceRange range;
  char rest = 0;
  const int read = std::sscanf(trace.c_str(), "%ld:%ld%c", &range.first, &range.last, &rest);
  return read == 2 && range.first >= 1 && range.last >= range.first ? range : TraceRange{};
}

}  // namespace lynceus::train
