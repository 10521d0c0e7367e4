// The checkpoints of a run: when they are saved, by which thread, and what follows from the result.
// A save is written by a thread of its own while training goes on, if there is staging memory for a
// snapshot; otherwise, and where the run ends, training waits for it. There is one save at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "train/incarnation/job_clock.h"
#include "train/incarnation/pace.h"
#include "train/run/stop_answer.h"
#include "train/run/training_run.h"
#include "train/save/background_save.h"
#include "train/save/save_patience.h"
#include "train/save/save_schedule.h"
#include "train/watch/run_watch.h"

namespace lynceus::train {

/// Everything but the questions is collective over the world.
class RunSaves {
 public:
  /// All must outlive it.
  RunSaves(TrainingRun* run, RunWatch* watch, StopClock* clock, Pace* pace);

  /// Before the first step: whether the run directory can hold checkpoints, and how they will be
  /// saved until the run ends after step `last`. A run that could not save would lose its work.
  void try_out(int64_t last);

  // What this rank adds to the totals of a step.
  bool time_has_passed() const { return run_.is_first_rank() && schedule_.time_has_passed(); }
  bool is_finished() const { return background_.is_finished(); }
  /// Whether a save runs while the steps go on; the same on all ranks.
  bool is_running() const { return background_.is_running(); }

  /// After a step of so many seconds. `finished`: the save that runs is, on all ranks.
  void step_done(double seconds, bool finished);
  /// Whether to save now; `time_has_passed`: on rank 0.
  bool is_due(bool time_has_passed);

  /// Saves the current step while training goes on, if it can. A failed save is a warning, also
  /// when it is found later; the third in a row is an AgreedError (kIo).
  void begin();
  /// Saves the current step, unless it has been saved, and waits for it. False: it failed.
  bool save();
  /// Where the run ends: saves the current step, unless it `stops` and only the save that is
  /// running fits before the end of the job. A save that fails is tried again for
  /// checkpoint.patience, at most until the job ends. AgreedError if all tries have failed:
  /// kRequeue if the run `stops` on request or before the end of its job, since its next start
  /// finds out whether the cause has passed, else kIo; also kIo if the lease is lost. `job_clock`:
  /// on rank 0, may be null.
  void save_last(const JobClock* job_clock, bool stops);
  /// Waits for the save that runs, if any.
  void wait();
  /// The run is at its newest checkpoint again; no save was running. -> the seconds of the steps
  /// that this undid.
  double went_back();

  int64_t saved_step() const { return saved_step_; }   ///< of the newest checkpoint; -1: none
  bool has_given_up() const { return has_given_up_; }  ///< save_last() has failed
  bool is_saved() const { return saved_step_ == run_.position.step; }
  /// Seconds of the steps after the newest checkpoint.
  double unsaved_seconds() const { return unsaved_seconds_; }

 private:
  void save_beside();
  void enter_save();
  /// Whether the job ends before another save could. The same on all ranks.
  bool has_time_for_one_more(const JobClock* job_clock);
  /// After a failed save: waits. False: there is no time for another one.
  bool wait_to_try_again(SavePatience* patience, const JobClock* job_clock);
  /// What remains if the current step is not saved.
  std::string what_remains() const;
  /// The result of the save that runs; waits for it.
  void take();
  /// `blocking`: seconds for which training waited.
  bool record(const io::SaveResult& result, int64_t step, double blocking);
  void say_once_that_saves_are_long(int64_t step, const std::string& consequence);

  TrainingRun& run_;
  RunWatch& watch_;
  StopClock& clock_;
  Pace& pace_;
  SaveSchedule schedule_;
  int64_t saved_step_ = -1;
  int failures_ = 0;
  double unsaved_seconds_ = 0;
  double seconds_since_snapshot_ = 0;  ///< of the steps
  bool has_said_long_ = false;
  bool is_last_ = false;  ///< failed saves are tried again: their number ends nothing
  bool has_given_up_ = false;
  std::string failure_;  ///< of the last save that failed
  std::optional<io::StagingMemory> staging_;
  io::Snapshot snapshot_;      ///< of the save that runs
  BackgroundSave background_;  ///< the last member: it uses the others
};

}  // namespace lynceus::train
