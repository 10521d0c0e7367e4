// What a run writes about its steps and validations: metrics.jsonl, damaged.tsv, samples.tsv, the
// log and the progress line. Rank 0 writes; no call here is collective.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/progress.h"
#include "train/data/batch_loader.h"
#include "train/metrics/balance_account.h"
#include "train/metrics/metrics.h"
#include "train/metrics/step_lines.h"
#include "train/metrics/step_window.h"
#include "train/metrics/validation.h"
#include "train/nonfinite/nonfinite_origin.h"
#include "train/run/run_config.h"
#include "train/run/run_state.h"
#include "train/step/step.h"

namespace lynceus::train {

/// A completed step.
struct StepDone {
  const PreparedStep& prepared;
  const StepResult& result;
  double lr;
  double seconds;  ///< including the wait for data
};

/// A step whose loss or gradient is not finite, and what the run does about it.
struct NonfiniteStep {
  int64_t step;
  std::string policy;  ///< stop, skip or rollback
  const StepResult& result;
  const NonfiniteOrigin& origin;
};

class RunReport {
 public:
  RunReport(const Runtime& rt, const RunConfig& config, const std::filesystem::path& run);

  /// The run continues after `step`: moves what was written about later steps to other files. On
  /// rank 0.
  void cut_after(int64_t step);

  /// `shares`: by rank, the patch features that it computed and the micro-batches that it kept.
  void write_shares(const std::vector<std::string>& shares) const;
  /// `samples`: in the training sets, which is one epoch.
  void set_epoch(int64_t samples) { samples_of_epoch_ = samples; }
  /// `rows`: lines of damaged.tsv by rank, empty where a rank found no damage.
  void write_damaged(const std::vector<std::string>& rows);
  /// `rows`: lines of samples.tsv.
  void write_samples(const std::string& rows);
  /// `position` is after the step.
  void write_step(const StepDone& step, const RunPosition& position, Progress* progress);
  void write_nonfinite(const NonfiniteStep& bad);
  void write_validation(int64_t step, const std::vector<SetScore>& scores);
  /// `lines`: of sample_answers.jsonl. Before write_validation(), which says that both are there.
  void write_sample_answers(const std::string& lines);
  /// Whether metrics.jsonl has a validation of `step`. On rank 0.
  bool has_validation(int64_t step) const { return metrics_.has_validation(step); }
  /// Before a checkpoint: writes what a full disk has delayed, if it can.
  void flush();
  /// Before a checkpoint is committed: lines that were written survive a loss of power from now on.
  /// A warning if that fails. May run on a thread of its own, at the same time as all other
  /// functions.
  void make_durable() const;
  /// After the last step of this start: how evenly the steps were spread, and a warning about lines
  /// that could not be written.
  void finish();

  const std::filesystem::path& damaged_path() const { return damaged_.path(); }

 private:
  bool writes() const { return rt_.grid.world->rank() == 0; }
  void write_balance() const;
  void log_window(const RunPosition& position, double lr);

  const Runtime& rt_;
  const RunConfig& config_;
  MetricsFile metrics_;
  StepLines damaged_, samples_, sample_answers_;
  BalanceAccount balance_;
  StepWindow window_;
  int64_t samples_of_epoch_ = 0;
};

}  // namespace lynceus::train
