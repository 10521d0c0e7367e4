// What a run tells of its steps and validations: metrics.jsonl, damaged.tsv, samples.tsv, the log
// and the progress line. Rank 0 writes; what it needs of the others is gathered here. Used by the
// trainer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/progress.h"
#include "train/data/balance.h"
#include "train/data/batch_loader.h"
#include "train/run/metrics.h"
#include "train/run/run_state.h"
#include "train/run/session.h"
#include "train/run/step_lines.h"
#include "train/run/validation.h"
#include "train/step/step.h"

namespace lynceus::train {

/// A step that is done.
struct StepDone {
  const PreparedStep& prepared;
  const StepResult& result;
  double lr;
  double seconds;  ///< waiting for data included
};

class RunReport {
 public:
  RunReport(const Runtime& rt, const RunConfig& config, const std::filesystem::path& run);

  /// Where a run goes on: what is told of later steps is set aside. On rank 0.
  void cut_after(int64_t step);

  /// Collective. `position` is behind the step and gets its damaged samples; AgreedError (kInput)
  /// when they are more than data.max_bad allows.
  void tell_step(const StepDone& step, const std::vector<const io::Dataset*>& datasets,
                 RunPosition* position, Progress* progress);
  void tell_validation(int64_t step, const std::map<std::string, TaskScore>& scores);
  /// How evenly the steps of this start were spread.
  void tell_balance() const;

 private:
  bool speaks() const { return rt_.grid.world->rank() == 0; }
  void tell_shares(const StepResult& result) const;
  void list_damaged(const PreparedStep& prepared, int64_t damaged, RunPosition* position);

  const Runtime& rt_;
  const RunConfig& config_;
  MetricsFile metrics_;
  StepLines damaged_, samples_;
  BalanceAccount balance_;
};

}  // namespace lynceus::train
