// What watches over the ranks of a run: hanging ranks, slow ranks, replicas that differ.
#pragma once

#include <filesystem>
#include <functional>
#include <span>

#include "parallel/runtime.h"
#include "train/step/optimizer.h"
#include "train/watch/section_clock.h"
#include "train/watch/stragglers.h"
#include "train/watch/watchdog.h"

namespace lynceus::train {

class RunWatch {
 public:
  /// Collective over the world. `digest_every`: train.digest_every.
  RunWatch(const Runtime& rt, const WatchConfig& config, int64_t digest_every,
           const std::filesystem::path& run_directory);

  /// The thread of the steps is in `section` from now on; `step`: completed.
  void enter(Section section, int64_t step);
  /// For a thread that saves checkpoints while the steps go on.
  SectionClock& clock() { return clock_; }
  /// For the owner of the run's lease: removes what the watchdog of an earlier start has left.
  void remove_leftovers() const { watchdog_.remove_leftovers(); }
  /// After each step. Collective over the world.
  void step_done(int64_t step);
  /// Compares the trained parameters if train.digest_every asks for it after `step`, or if they
  /// `will_be_saved`, and have not been compared after this step. Collective over the world.
  /// AgreedError (kNumeric) naming parameters, ranks and the newest checkpoint where they differ.
  /// Only then `saved_step` is called, on all ranks: the step of that checkpoint after any save
  /// that runs has ended, or -1.
  void compare_replicas(std::span<const TrainedParameter> parameters, int64_t step,
                        bool will_be_saved, const std::function<int64_t()>& saved_step);
  /// The run continues from a checkpoint: steps that were compared come again.
  void went_back() { compared_step_ = -1; }

 private:
  const Runtime& rt_;
  int64_t digest_every_;
  int64_t compared_step_ = -1;
  SectionClock clock_;
  Watchdog watchdog_;
  Stragglers stragglers_;
};

}  // namespace lynceus::train
