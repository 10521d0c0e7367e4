// When a run saves a checkpoint: after every so many steps, and when so much time has passed since
// the last save. A save changes nothing that is trained, so a resumed run ends with the same bits
// whenever its checkpoints were saved.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "train/config.h"

namespace lynceus::train {

class SaveSchedule {
 public:
  /// The time begins now.
  explicit SaveSchedule(const CheckpointConfig& config) : config_(config) {}

  /// Whether checkpoint.every_minutes have passed by this process's clock. The clock of rank 0
  /// decides for all ranks: StepOptions::save_is_due.
  bool time_has_passed() const;
  /// The time begins again: a checkpoint was saved, or could not be saved.
  void restart() { begin_ = Clock::now(); }
  /// Whether checkpoint.every asks for a checkpoint of this step.
  bool is_due_at(int64_t step) const { return config_.every > 0 && step % config_.every == 0; }

  /// "next checkpoint in 30 min or at step 500", after `step` steps of a run that ends, and then
  /// saves, after step `last`.
  std::string describe(int64_t step, int64_t last) const;

 private:
  using Clock = std::chrono::steady_clock;

  CheckpointConfig config_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace lynceus::train
