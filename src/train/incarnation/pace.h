// How long the steps and saves of a run take, and from that how long before the end of its job the
// run must stop.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

namespace lynceus::train {

/// Written by the thread of the steps, read by the one that watches the time. All times in seconds.
class Pace {
 public:
  void step_took(double seconds);
  void save_took(double seconds);
  /// A save runs while the steps go on: the margin has time for its rest and for another one.
  void set_saving(bool saving);
  /// A careful guess, used until a save was measured: `trial_seconds` is what the trial save took,
  /// whose cost is that of the calls; the bytes of a checkpoint come on top.
  void guess_save(double trial_seconds, uint64_t checkpoint_bytes);
  /// What the largest step and save of an earlier start took, 0: not known. Used until measured.
  void recall(double step_seconds, double save_seconds);

  /// The largest recent step; 0: none is known. The first step of a start, which is slower than the
  /// others, counts until three others are known.
  double step() const;
  /// The largest save of this start, or what is expected of the first.
  double save() const;
  /// Steps measured in this start.
  int64_t steps() const;
  /// The time that must be left before one more step begins: step() + 1.5 save() + 3 s, and
  /// another save() while one runs. The last term is for what follows the save until the process
  /// has ended.
  double margin() const;

 private:
  double step_locked() const;
  double save_locked() const;

  mutable std::mutex mutex_;
  double first_step_ = 0, recalled_step_ = 0;
  std::deque<double> recent_;  // of the steps after the first
  double largest_save_ = 0, recalled_save_ = 0, guessed_save_ = 0;
  int64_t steps_ = 0;
  bool saving_ = false;
};

}  // namespace lynceus::train
