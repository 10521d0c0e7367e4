#include "train/run/run_ending.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/log.h"
#include "core/text/units.h"
#include "io/files/file.h"
#include "train/incarnation/node_ledger.h"

namespace lynceus::train {

std::unique_ptr<JobClock> make_job_clock(const Runtime& rt, double max_hours, const Pace* pace) {
  if (rt.grid.world->rank() != 0) return nullptr;
  const std::optional<JobEnd> end = find_job_end(max_hours, process_begin());
  return end ? std::make_unique<JobClock>(*end, pace) : nullptr;
}

void log_job_end(const JobClock* clock) {
  if (clock != nullptr)
    log::info("{}", clock->describe());
  else if (std::getenv("SLURM_JOB_ID") != nullptr)
    log::info(
        "the end of the job is not known (LYNCEUS_JOB_END, SLURM_JOB_END_TIME, train.max_hours): "
        "only a signal stops the run before it");
}

void recall_pace(const IncarnationLog& incarnation, Pace* pace) {
  const auto& earlier = incarnation.earlier();
  for (auto at = earlier.rbegin(); at != earlier.rend(); ++at) {
    if (!at->ended || at->ranks != incarnation.current().ranks) continue;
    if (at->ended->largest_step == 0 && at->ended->largest_save == 0) continue;
    pace->recall(at->ended->largest_step, at->ended->largest_save);
    return;
  }
}

parallel::AgreedError lost_lease(const TrainingRun& run) {
  return parallel::AgreedError(ExitCode::kIo,
                               fmt::format("{}: {}: stopped after step {} without saving",
                                           (run.directory / io::kLeaseName).string(),
                                           io::lease_loss(run.directory), run.position.step));
}

RunEnding ending_by(ExitCode code, bool time_is_up, const TrainingRun& run) {
  const char* what =
      run.position.step == run.config.train.steps ? "finished" : "stopped by --stop-after";
  if (code == ExitCode::kRequeue)
    what = !time_is_up ? "stopped on request"
           : run.position.step == run.first_step
               ? "no time for a step and a save before the end of the job"
               : "stopped before the end of the job";
  RunEnding ending;
  ending.code = code;
  ending.cause = fmt::format("{} after step {}", what, run.position.step);
  ending.by_request = code == ExitCode::kRequeue && !time_is_up;
  return ending;
}

RunEnding ending_of(const std::exception& error) {
  RunEnding ending;
  ending.code = static_cast<ExitCode>(exit_code_of(error));
  ending.cause = error.what();
  ending.is_agreed = dynamic_cast<const parallel::AgreedError*>(&error) != nullptr;
  ending.by_request = ending.code == ExitCode::kRequeue;
  return ending;
}

void log_end(const TrainingRun& run, double seconds) {
  const RunPosition& done = run.position;
  const std::string directory = run.directory.string();
  const bool is_complete = done.step == run.config.train.steps;
  log::info("{} after step {} of {}: {}; {} in {} since this start",
            is_complete ? "finished" : "stopped", done.step, run.config.train.steps,
            counted(done.samples_seen, "sample"), counted(done.step - run.first_step, "step"),
            seconds_text(seconds));
  if (!is_complete)
    log::info("to continue, run the same command without --stop-after {}", done.step);
  else if (!run.data.validation.empty())
    log::info("next: lynceus evaluate --run {}", directory);
  else
    log::info("next: lynceus export --checkpoint {} --output DIR", directory);
}

void log_stopped(const TrainingRun& run, bool time_is_up, bool by_file) {
  if (by_file)
    log::info(
        "stopped on request after step {}, by the file STOP: a job of `lynceus submit` ends now "
        "and does not go back into the queue; run the same command again to continue",
        run.position.step);
  else if (time_is_up)
    log::info(
        "stopped before the end of the job after step {}; run the same command again to continue",
        run.position.step);
  else
    log::info("stopped on request after step {}; run the same command again to continue",
              run.position.step);
}

void record_ending(TrainingRun* run, const StopClock& clock, const Pace& pace,
                   const JobClock* job_clock, const RunEnding& ending) try {
  if (run->incarnation == nullptr || !run->lease->still_mine()) return;
  IncarnationEnd end;
  end.exit_code = static_cast<int64_t>(ending.code);
  end.cause = ending.cause;
  end.by_request = ending.by_request;
  end.last_step = run->position.step;
  end.committed_step = std::max<int64_t>(ending.saved_step, 0);
  end.largest_step = pace.step();
  end.largest_save = pace.save();
  end.seconds = {.start = ending.start_seconds,
                 .load = clock.spent(Activity::kLoading),
                 .step = std::max(0.0, clock.spent(Activity::kStep) - ending.lost_seconds),
                 .save = clock.spent(Activity::kSave),
                 .lost = ending.lost_seconds,
                 .validation = clock.spent(Activity::kValidation),
                 .waiting = clock.spent(Activity::kWaiting)};
  if (!ending.is_agreed) end.failures.push_back({0, run->nodes.front(), ending.cause});
  IncarnationLog& incarnation = *run->incarnation;
  incarnation.end(std::move(end));
  RunSummary summary;
  summary.incarnations = incarnation.earlier();
  summary.incarnations.push_back(incarnation.current());
  summary.requested = requested_resources(
      job_clock == nullptr ? std::nullopt : std::optional(job_clock->end()), incarnation.begin());
  summary.used = ending.used;
  for (const std::string& line : summary.lines()) log::info("{}", line);
  io::atomic_write_text(run->directory / kSummaryName, summary.to_json().dump_replacing() + "\n");
} catch (const std::exception& error) {
  log::warn("no summary: {}", error.what());
}

void note_failure_of_rank(const Runtime& rt, const std::string& run, const std::string& what) {
  const int rank = rt.grid.world->rank();
  const auto log_file = std::filesystem::path(run) / "log" / "train.log";
  const bool opens_log = rank > 0 && std::filesystem::exists(log_file);
  if (opens_log) log::add_file(log_file.string());
  log::file_error(fmt::format("rank {}: {}", rank, what));
  if (opens_log) note_failure(run, {rank, node_name(), what});
}

}  // namespace lynceus::train
