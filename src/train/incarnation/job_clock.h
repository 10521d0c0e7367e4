// The run's own clock: it asks the run to stop so early before the end of the job that a step and a
// save still fit, without any signal. Rank 0 watches the time; its request reaches all ranks as a
// signal to rank 0 would (train/run/signals.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "train/incarnation/pace.h"

namespace lynceus::train {

/// When the process must have ended, and who says so.
struct JobEnd {
  double unix_seconds = 0;
  std::string source;  ///< "train.max_hours = 24", "LYNCEUS_JOB_END", "SLURM_JOB_END_TIME"
  /// So long before it Slurm may ask the ranks to stop. From the variable LYNCEUS_JOB_SIGNAL, the
  /// seconds of sbatch's --signal, and what Slurm may be early; 10 minutes without it.
  /// 30 s for train.max_hours, of which Slurm knows nothing.
  double request_seconds = 30;
  bool kills = false;  ///< Slurm ends the ranks then; train.max_hours does not

  /// Whether a request to stop that arrives now comes because of this end.
  bool explains_request() const;
};

/// The earlier of: `max_hours` after `process_begin` (0: not limited), and the end of the job, in
/// seconds since 1970, from the variable LYNCEUS_JOB_END or else SLURM_JOB_END_TIME. nullopt:
/// neither is known. A variable that is not a number is logged as a warning.
std::optional<JobEnd> find_job_end(double max_hours, double process_begin);

/// When this process began, seconds since 1970.
double process_begin();

class JobClock {
 public:
  /// Begins to watch the time. `pace` must outlive the clock.
  JobClock(JobEnd end, const Pace* pace);
  ~JobClock();
  JobClock(const JobClock&) = delete;
  JobClock& operator=(const JobClock&) = delete;

  /// Asks the run to stop if less than the margin of the pace is left. The thread calls it too; it
  /// logs when the job has ended before the run.
  void check();
  /// Whether it has asked.
  bool is_up() const { return is_up_; }
  double seconds_left() const;
  const JobEnd& end() const { return end_; }
  /// "the job ends at ... (SOURCE), in 2 h 5 min; the run stops about 12.3 s earlier".
  std::string describe() const;

 private:
  void watch();

  JobEnd end_;
  const Pace* pace_;
  std::atomic<bool> is_up_ = false;
  bool stopping_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace lynceus::train
