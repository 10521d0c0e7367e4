// When a run saves a checkpoint: after every so many steps, and when so much time has passed since
// the last save. A save changes nothing that is trained, so a resumed run ends with the same bits
// whenever its checkpoints were saved.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "train/config.h"
#include "train/save/save_interval.h"

namespace lynceus::train {

class SaveSchedule {
 public:
  using Clock = std::chrono::steady_clock;

  /// The time begins now. `nodes`: of the job.
  explicit SaveSchedule(const CheckpointConfig& config, int nodes = 1);

  /// Whether checkpoint.every_minutes have passed by this process's clock. The clock of rank 0
  /// decides for all ranks: StepOptions::save_is_due.
  bool time_has_passed(Clock::time_point now = Clock::now()) const;
  /// The time begins again: a checkpoint was saved.
  void restart(Clock::time_point now = Clock::now());
  /// A checkpoint could not be saved: the next try is after one minute, then after ten, but not
  /// later than checkpoint.every_minutes.
  void failed(Clock::time_point now = Clock::now());
  /// A save stopped training for `blocking_seconds`, and its checkpoint was committed after
  /// `save_seconds`: renews the interval if checkpoint.every_minutes is auto. -> a line for the log
  /// if it has changed by more than a fifth since the last line, else empty.
  std::string took(double blocking_seconds, double save_seconds);
  /// Whether checkpoint.every asks for a checkpoint of this step.
  bool is_due_at(int64_t step) const { return config_.every > 0 && step % config_.every == 0; }

  /// "next checkpoint in 30 min or at step 500", after `step` steps of a run that ends, and then
  /// saves, after step `last`.
  std::string describe(int64_t step, int64_t last) const;

 private:
  static constexpr double kFirstRetryMinutes = 1;

  CheckpointConfig config_;
  double mtbf_hours_;
  Clock::time_point begin_ = Clock::now();
  double interval_;                            ///< minutes; 0: not by time
  double logged_interval_;                     ///< minutes
  double minutes_;                             ///< from begin_ to the next save
  double retry_minutes_ = kFirstRetryMinutes;  ///< after the next failure
};

}  // namespace lynceus::train
