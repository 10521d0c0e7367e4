// What a run answers to a request to stop: what it still does, how long that takes, and what is
// lost if the launcher does not wait that long.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace lynceus::train {

enum class Activity { kLoading, kWaiting, kStep, kValidation, kSave };

/// What the answer depends on.
struct StopSituation {
  Activity activity = Activity::kLoading;
  double seconds_in = 0;        ///< since the activity began
  double step_seconds = 0;      ///< of a recent step; 0: none is known
  double batch_seconds = 0;     ///< of a recent batch of a validation; 0: none is known
  double save_seconds = 0;      ///< of the last save; 0: none is known
  double saving_seconds = -1;   ///< since a save began that runs meanwhile; -1: none does
  int64_t step = 0;             ///< completed
  int64_t saved_step = -1;      ///< of the newest checkpoint; -1: there is none
  std::optional<double> limit;  ///< seconds after which the launcher kills its ranks
};

/// One line: "asked to stop: ...".
std::string answer_to_stop(const StopSituation& situation);

/// Answers on terminal and log. `by_launcher`: the request came through it; mpirun prints nothing
/// of its ranks while it ends them, so the line goes to mpirun's own terminal.
void give_answer(StopSituation situation, bool by_launcher);

/// Seconds from a signal to Open MPI's mpirun to the kill of its ranks; nullopt: another launcher,
/// or none.
std::optional<double> seconds_until_kill();

/// Written by the thread of the steps, read by the one that answers.
class StopClock {
 public:
  void begin(Activity activity);
  /// Of a validation.
  void begin_batch();
  void step_took(double seconds) { step_seconds_ = seconds; }
  void saved(int64_t step, double seconds);
  /// A save runs while the steps go on, or no longer.
  void set_saving(bool saving) { saving_since_ = saving ? Clock::now() : Clock::time_point(); }
  void at(int64_t step) { step_ = step; }
  /// A checkpoint that an earlier start of the run has left.
  void found(int64_t step) { saved_step_ = step; }
  StopSituation situation() const;
  /// Seconds spent in an activity so far, the current one included. On the thread of the steps.
  double spent(Activity activity) const;

 private:
  using Clock = std::chrono::steady_clock;
  /// Adds the time since begin_ to the current activity; returns the time now.
  Clock::time_point count_until_now();

  std::atomic<Activity> activity_ = Activity::kLoading;
  std::atomic<Clock::time_point> begin_ = Clock::now();
  std::atomic<Clock::time_point> saving_since_ = Clock::time_point();  ///< the epoch: none does
  std::atomic<double> step_seconds_ = 0, batch_seconds_ = 0, save_seconds_ = 0;
  std::atomic<int64_t> step_ = 0, saved_step_ = -1;
  bool is_in_batch_ = false;  ///< of the thread of the steps
  std::array<double, 5> spent_ = {};
};

}  // namespace lynceus::train
