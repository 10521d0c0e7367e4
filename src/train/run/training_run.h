// What a run has before its first step: lease, data, model with its weights, optimizer, checkpoints
// and the position from which it continues; and how it goes back to a checkpoint.
#pragma once

#include <filesystem>
#include <memory>

#include "core/config/config.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/run_lease.h"
#include "io/checkpoint/writer.h"
#include "model/lynx.h"
#include "train/data/batch_loader.h"
#include "train/data/mixture.h"
#include "train/data/run_data.h"
#include "train/incarnation/incarnation_log.h"
#include "train/incarnation/job_clock.h"
#include "train/metrics/sample_answers.h"
#include "train/nonfinite/nonfinite_policy.h"
#include "train/run/run_config.h"
#include "train/run/run_report.h"
#include "train/run/run_state.h"
#include "train/step/optimizer.h"
#include "train/watch/run_watch.h"

namespace lynceus::train {

struct TrainingRun {
  /// Collective over the world; errors are agreed. `config_reader` has filled `run_config`; what
  /// files decide is resolved in it. Writes config.ini last, after every check. `job_end`: on rank
  /// 0, if it is known. `make_sample_answers`: called if there is a train.sample_prompts.
  TrainingRun(const Runtime& runtime, RunConfig* run_config, ConfigReader* config_reader,
              RunWatch* watch, std::optional<JobEnd> job_end,
              const MakeSampleAnswers& make_sample_answers);
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;

  bool is_first_rank() const { return rt.grid.world->rank() == 0; }
  bool validation_is_due() const;
  /// At the start: whether an earlier start ended before the validation of its last step.
  /// Collective over the world.
  bool validation_is_missing() const;
  /// The training mixture at the current position.
  Mixture make_mixture() const;
  /// Of the training or the validation data.
  BatchLoader make_loader(bool is_training) const;

  /// After a step that is not finite and has updated nothing: finds its cause, writes it to log,
  /// terminal and metrics.jsonl, and takes the action of train.nonfinite but for kStop. A skipped
  /// step is recorded in the position; a rollback loads the newest intact checkpoint, records the
  /// left-out steps in its manifest and moves the position. Collective over the world.
  NonfiniteAction answer_nonfinite(PreparedStep* prepared, const StepResult& result,
                                   const StepOptions& options, RunWatch* watch);

  const Runtime& rt;
  RunConfig& config;
  std::filesystem::path directory;
  RunReport report;
  RunData data;
  std::vector<std::string> nodes;               ///< of each rank
  std::unique_ptr<io::Lease> lease;             ///< on rank 0
  std::unique_ptr<IncarnationLog> incarnation;  ///< on rank 0, for as long as it has the lease
  model::LynxModel model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<RunState> state;
  std::unique_ptr<io::CheckpointStore> store;
  std::unique_ptr<SampleAnswers> sample_answers;  ///< null: without train.sample_prompts
  RunPosition position;
  int64_t first_step = 0;       ///< steps done before this start
  bool has_checkpoint = false;  ///< of first_step

 private:
  void load(ConfigReader* reader, RunWatch* watch, const MakeSampleAnswers& make_sample_answers);
  /// Leaves on all ranks, if one of them was asked to stop.
  void leave_together() const;
  /// `recorded`: the manifest of the checkpoint that the run continues; null: none.
  void open_files(ConfigReader* reader, const io::Manifest* recorded);
  /// Checks that all ranks have the same program, configuration and data.
  RunIdentity agreed_identity(const ConfigReader& reader) const;
  void take_lease();
  void resume_or_initialize();
  /// `position.left_out` has the step that is the reason.
  void roll_back();

  std::optional<JobEnd> job_end_;
};

/// The training batches from the position of the run on.
struct TrainingInput {
  /// `depth`: batches whose loading begins at once.
  TrainingInput(const TrainingRun& run, int depth)
      : loader(run.make_loader(/*is_training=*/true)),
        batches(&loader, run.make_mixture(), run.config.train.global_batch_size, depth,
                LeftOutSamples(run.position.left_out)) {}
  BatchLoader loader;
  TrainingData batches;
};

}  // namespace lynceus::train
