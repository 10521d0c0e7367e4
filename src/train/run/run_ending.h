// How a start of a run ends: its line in incarnations.jsonl, the summary in the log, summary.json.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "parallel/agreement.h"
#include "train/incarnation/job_clock.h"
#include "train/incarnation/summary.h"
#include "train/run/stop_answer.h"
#include "train/run/training_run.h"

namespace lynceus::train {

/// On rank 0, if the end of this start is known, a clock that watches it; else null.
std::unique_ptr<JobClock> make_job_clock(const Runtime& rt, double max_hours, const Pace* pace);
/// Logs when the run will stop. `clock` may be null.
void log_job_end(const JobClock* clock);
/// Takes the largest step and save from the last start on as many ranks.
void recall_pace(const IncarnationLog& incarnation, Pace* pace);

/// What only the trainer knows about the end.
struct RunEnding {
  ExitCode code = ExitCode::kDone;
  std::string cause;
  bool by_request = false;
  bool is_agreed = true;     ///< otherwise the error is of this rank alone
  int64_t saved_step = -1;   ///< of the newest checkpoint; -1: there is none
  double start_seconds = 0;  ///< until the trainer began
  double lost_seconds = 0;   ///< of the steps after the newest checkpoint and of rolled-back ones
  std::optional<ResourceUse> used;
};

/// The error that ends a run whose lease another process has taken, on all ranks: a checkpoint of
/// this process would be refused.
parallel::AgreedError lost_lease(const TrainingRun& run);

/// The ending by kDone, or by kRequeue; `time_is_up`: because the job ends.
RunEnding ending_by(ExitCode code, bool time_is_up, const TrainingRun& run);
/// The ending by an error.
RunEnding ending_of(const std::exception& error);

/// Logs what was done in this start, which took `seconds`, and what to do next.
void log_end(const TrainingRun& run, double seconds);
/// Logs that the run was stopped, on request, by the file STOP, or because the job ends.
void log_stopped(const TrainingRun& run, bool time_is_up, bool by_file);

/// On rank 0: writes the line of incarnations.jsonl, logs the summary and writes summary.json. A
/// file that cannot be written is a warning.
void record_ending(TrainingRun* run, const StopClock& clock, const Pace& pace,
                   const JobClock* job_clock, const RunEnding& ending);

/// Adds an error of this rank alone to the log of the run and to the records of failing nodes.
void note_failure_of_rank(const Runtime& rt, const std::string& run, const std::string& what);

}  // namespace lynceus::train
