// Step after step until the run ends, is asked to stop, or fails on all ranks.
#include "train/run/trainer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

#include "core/log.h"
#include "core/progress.h"
#include "core/text/units.h"
#include "core/text/utc.h"
#include "core/trace.h"
#include "parallel/agreement.h"
#include "train/data/sample_lines.h"
#include "train/incarnation/node_ledger.h"
#include "train/metrics/validation.h"
#include "train/run/damaged_samples.h"
#include "train/run/run_ending.h"
#include "train/run/run_saves.h"
#include "train/run/run_trace.h"
#include "train/run/signals.h"
#include "train/run/start_lines.h"
#include "train/run/stop_answer.h"
#include "train/run/training_run.h"
#include "train/step/encoder_ahead.h"
#include "train/step/lr_schedule.h"

namespace lynceus::train {
namespace {

using Clock = std::chrono::steady_clock;

/// Of each Activity, in its order.
constexpr Section kSectionOf[] = {Section::kLoad, Section::kData, Section::kStep,
                                  Section::kEvaluate, Section::kCheckpoint};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Trainer {
 public:
  Trainer(const Runtime& rt, RunConfig* config, ConfigReader* reader,
          const MakeSampleAnswers& make_sample_answers)
      : rt_(rt),
        config_(*config),
        stop_(config->options.run, [this](bool by_launcher) { answer(by_launcher); }),
        job_clock_(make_job_clock(rt, config->train.max_hours, &pace_)),
        watch_(rt, config->watchdog, config->train.digest_every, config->options.run),
        run_(rt, config, reader, &watch_,
             job_clock_ ? std::optional(job_clock_->end()) : std::nullopt, make_sample_answers),
        saves_(&run_, &watch_, &clock_, &pace_),
        trace_(config->log.trace_range()) {
    stop_.relay_to(first_rank_here(*rt.grid.world));
    clock_.at(position().step);
    if (run_.has_checkpoint) clock_.found(position().step);
  }

  /// Trains, and records the end.
  ExitCode train() {
    try {
      const ExitCode code = train_until_stop();
      RunEnding ending = ending_by(code, time_is_up(), run_);
      ending.used = gather_use(*rt_.grid.world, node_name());
      record(ending);
      return code;
    } catch (const std::exception& error) {
      // All ranks leave: the save that runs is not lost.
      if (dynamic_cast<const parallel::AgreedError*>(&error) != nullptr) settle_saves();
      record(ending_of(error));
      throw;
    }
  }

 private:
  ExitCode train_until_stop() {
    const int64_t last = config_.options.stop_after > 0
                             ? std::min(config_.options.stop_after, config_.train.steps)
                             : config_.train.steps;
    if (run_.validation_is_missing()) validate_now();
    if (left_validation_) return leave();
    if (position().step >= last) {
      log::info("step {} is already done: nothing to train", position().step);
      return ExitCode::kDone;
    }
    saves_.try_out(last);
    if (run_.is_first_rank()) log_job_end(job_clock_.get());
    if (run_.incarnation)
      run_.incarnation->resumed(run_.first_step, start_seconds_, clock_.spent(Activity::kLoading));
    const auto begin = Clock::now();
    if (rt_.overlaps(&parallel::Overlap::vision)) {
      ahead_.emplace(rt_, run_.model);
    }
    auto input = std::make_unique<TrainingInput>(run_, ahead_ ? 3 : 2);
    Progress progress(
        "train", last, "steps",
        {.file = run_.is_first_rank() ? stderr : nullptr, .done_before = position().step});
    while (position().step < last) {
      const auto waiting = Clock::now();  // the wait for data is part of a step
      if (must_stop(&input->batches)) return stop(&progress);
      const StepEnd end =
          run_step(&input->batches, position().step + 1 == last, waiting, &progress);
      if (end == StepEnd::kRolledBack) {
        input.reset();  // what it has loaded ahead belongs to the steps before
        input = std::make_unique<TrainingInput>(run_, ahead_ ? 3 : 2);
        continue;
      }
      const bool is_last = position().step == last;
      // Before a validation, which may take long. A run that resumes from this checkpoint makes up
      // for a validation that is missing then.
      if (is_last ? run_.validation_is_due() : saves_.is_due(end == StepEnd::kSaveIsDue))
        begin_save();
      if (run_.validation_is_due()) validate_now();
      if (left_validation_) return stop(&progress);
    }
    finish(&progress, /*stops=*/false);
    log_end(run_, seconds_since(begin));
    return ExitCode::kDone;
  }

  enum class StepEnd { kDone, kSaveIsDue, kRolledBack };

  RunPosition& position() { return run_.position; }
  bool time_is_up() const { return job_clock_ && job_clock_->is_up(); }
  bool job_ends() const { return job_clock_ && job_clock_->end().explains_request(); }
  void record(RunEnding ending) {
    ending.by_request = ending.by_request && !time_is_up() && !asked_by_job_.value_or(job_ends()) &&
                        !saves_.has_given_up();
    ending.saved_step = saves_.saved_step();
    ending.start_seconds = start_seconds_;
    ending.lost_seconds = saves_.unsaved_seconds() + rolled_back_seconds_;
    record_ending(&run_, clock_, pace_, job_clock_.get(), ending);
  }

  void enter(Activity activity) {
    clock_.begin(activity);
    watch_.enter(kSectionOf[static_cast<size_t>(activity)], position().step);
  }
  void compare_replicas(bool will_be_saved) {
    watch_.compare_replicas(run_.optimizer->parameters(), position().step, will_be_saved,
                            [this] { return settle_saves(); });
  }

  /// On rank 0, on the thread of the requests. mpirun forwards nothing while it ends its ranks.
  void answer(bool by_launcher) const {
    if (rt_.grid.world->rank() != 0) return;
    give_answer(clock_.situation(), by_launcher);
  }

  /// -> what follows, the same on all ranks; a save is due by rank 0's clock.
  StepEnd run_step(TrainingData* batches, bool is_last, Clock::time_point begin,
                   Progress* progress) {
    const auto computing = Clock::now();
    enter(Activity::kStep);
    const bool is_first = position().step == run_.first_step;
    if (position().step + 1 == trace_.first)
      trace::start(rt_.grid.world->rank(), rt_.stream.pool()->queue());
    if (ahead_) watch_.enter(Section::kData, position().step);  // for the batch after this one
    PreparedStep batch = next_batch(batches, is_last);
    if (ahead_) watch_.enter(Section::kStep, position().step);
    if (config_.log.schedule && is_first && run_.is_first_rank())
      print_schedule(rt_, config_.parallel.schedule, batch.batch);
    const double lr = learning_rate(config_.optimizer, position().step, config_.train.steps);
    const StepResult result = update(&batch, lr, [&] { batches->begin_next(); });
    const double seconds = seconds_since(computing);
    if (!result.finite && !continues_after(&batch, result, progress)) {
      rolled_back_seconds_ += saves_.went_back() + seconds;
      return StepEnd::kRolledBack;
    }
    position().step += 1;
    position().samples_seen += config_.train.global_batch_size;
    clock_.at(position().step);
    clock_.step_took(seconds);
    pace_.step_took(seconds);
    watch_.enter(Section::kData, position().step);  // the report may wait for the disk
    watch_.step_done(position().step);
    compare_replicas(/*will_be_saved=*/false);
    report_step({batch, result, lr, seconds_since(begin)}, is_first, progress);
    saves_.step_done(seconds, result.totals.save_is_finished);
    if (position().step == trace_.last) write_trace(run_, &trace_);
    return result.totals.save_is_due ? StepEnd::kSaveIsDue : StepEnd::kDone;
  }

  StepResult update(PreparedStep* batch, double lr, const std::function<void()>& meanwhile) {
    StepOptions options = step_options(config_.parallel.schedule, config_.train.recompute);
    options.save_is_due = saves_.time_has_passed();
    options.save_is_finished = saves_.is_finished();
    return try_step(rt_, run_.model, run_.optimizer.get(), &batch->batch, batch->pixel_source(),
                    batch->reach, options, lr, meanwhile);
  }

  /// After a step with a number that is not finite, which updated nothing. -> whether the step
  /// counts; false: the run went back. If it must stop, the last good state is saved before.
  bool continues_after(PreparedStep* batch, const StepResult& result, Progress* progress) {
    const StepOptions options = step_options(config_.parallel.schedule, config_.train.recompute);
    const int64_t good = position().step;
    if (config_.train.nonfinite == "rollback") {
      wait_for_save();
      write_trace(run_, &trace_);  // up to here
    }
    switch (run_.answer_nonfinite(batch, result, options, &watch_)) {
      case NonfiniteAction::kSkip:
        return true;
      case NonfiniteAction::kRollBack:
        went_back(good, progress);
        return false;
      case NonfiniteAction::kStop:
        break;
    }
    throw parallel::AgreedError(
        ExitCode::kNumeric,
        stop_text(config_.train, position().left_out, good + 1, result) + keep_last_good_state());
  }

  /// From `step` to the position of the run.
  void went_back(int64_t step, Progress* progress) {
    if (ahead_) ahead_->forget();
    progress->advance(position().step - step);
    run_.first_step = std::min(run_.first_step, position().step);
    clock_.at(position().step);
    clock_.found(position().step);
  }

  /// -> what the message about the bad step says of it.
  std::string keep_last_good_state() {
    const int64_t good = position().step;
    if (good == 0) return "";
    std::string reason;
    try {
      if (good == run_.first_step || save())
        return fmt::format("; the checkpoint of step {} has the last good state", good);
    } catch (const parallel::AgreedError& error) {  // the third failure in a row
      reason = fmt::format(": {}", error.what());
    }
    return fmt::format("; the last good state, of step {}, could not be saved{}", good, reason);
  }

  /// Where the encoder runs ahead, the next batch is taken too, and its media is encoded on the
  /// side stream concurrently with this step.
  PreparedStep next_batch(TrainingData* batches, bool is_last) {
    if (!ahead_) return batches->next();
    PreparedStep batch = ahead_->has_step() ? ahead_->take() : batches->next();
    if (!is_last) ahead_->begin(batches->next());
    return batch;
  }

  /// Collects what only other ranks know, and lets the report write all of it.
  void report_step(const StepDone& step, bool is_first, Progress* progress) {
    if (is_first)
      run_.report.write_shares(rt_.grid.world->all_gather(
          fmt::format("{} ({})", step.result.vision.patch_tokens, step.result.most_saved)));
    if (is_first) log::info("memory of the first step: {}", describe_memory(rt_));
    if (step.result.totals.damaged_samples > 0)
      count_damaged(rt_, config_.data.max_bad, step, &run_.position, &run_.report);
    if (config_.log.samples)
      run_.report.write_samples(
          sample_lines(rt_, position().step, step.prepared, RunData::pointers(run_.data.training)));
    run_.report.write_step(step, position(), progress);
  }

  void validate_now() try {
    enter(Activity::kValidation);
    BatchLoader loader = run_.make_loader(/*is_training=*/false);
    const auto scores =
        validate(rt_, run_.model, &loader, RunData::pointers(run_.data.validation),
                 {.samples = config_.train.validation_samples,
                  .batch_size = validation_batch_size(rt_, config_.train.global_batch_size),
                  .begins_batch = [this] { clock_.begin_batch(); }});
    if (run_.sample_answers)
      run_.report.write_sample_answers(
          run_.sample_answers->answer(rt_, run_.model, position().step));
    run_.report.write_validation(position().step, scores);
  } catch (const parallel::AgreedError& error) {
    if (error.code() != ExitCode::kRequeue) throw;
    left_validation_ = true;
  }

  /// Asked before each step, when its data is there: a request that arrives while a checkpoint is
  /// written or data is waited for needs neither another step nor another save. A file STOP stops
  /// after the first step.
  bool must_stop(TrainingData* batches) {
    enter(Activity::kWaiting);
    if (job_clock_) job_clock_->check();
    if (!ahead_ || !ahead_->has_step()) batches->wait_or_stop();
    if (position().step == run_.first_step) return StopRequests::any_asked(*rt_.grid.world);
    const StopReason reason = stop_.agreed(*rt_.grid.world, run_.lease.get());
    if (reason == StopReason::kLeaseLost) throw lost_lease(run_);
    return reason == StopReason::kRequested;
  }

  ExitCode stop(Progress* progress) {
    asked_by_job_ = job_ends();  // the last save may take until the job ends
    finish(progress, /*stops=*/true);
    return leave();
  }

  ExitCode leave() {
    const bool by_file = run_.is_first_rank() && stop_.clear();
    if (left_validation_)
      log::warn("the validation of step {} was left: the next start repeats it", position().step);
    log_stopped(run_, time_is_up(), by_file);
    return ExitCode::kRequeue;
  }

  void finish(Progress* progress, bool stops) {
    progress->finish();
    run_.report.finish();
    write_trace(run_, &trace_);
    saves_.save_last(job_clock_.get(), stops);
  }

  /// Saves while training goes on, if it can.
  void begin_save() {
    compare_replicas(/*will_be_saved=*/true);
    enter(Activity::kSave);
    saves_.begin();
  }

  /// Waits until the current step is saved.
  bool save() {
    if (saves_.is_saved()) return true;
    compare_replicas(/*will_be_saved=*/true);
    enter(Activity::kSave);
    return saves_.save();
  }

  void wait_for_save() {
    if (!saves_.is_running()) return;
    enter(Activity::kSave);
    saves_.wait();
  }

  /// Waits for the save that runs. -> the step of the newest checkpoint, or -1.
  int64_t settle_saves() try {
    wait_for_save();
    return saves_.saved_step();
  } catch (const parallel::AgreedError&) {  // the failed save was logged
    return saves_.saved_step();
  }

  const Runtime& rt_;
  const RunConfig& config_;
  StopClock clock_;
  Pace pace_;
  const double start_seconds_ = unix_now() - process_begin();
  StopRequests stop_;                    // before the run is set up: a request meanwhile counts too
  std::unique_ptr<JobClock> job_clock_;  // on rank 0, if the end of the job is known
  std::optional<bool> asked_by_job_;     // whether the end of the job explains the request to stop
  RunWatch watch_;
  TrainingRun run_;
  RunSaves saves_;
  double rolled_back_seconds_ = 0;  // of the steps before which the run went back
  bool left_validation_ = false;
  TraceRange trace_;
  std::optional<EncoderAhead> ahead_;  // empty: the encoder does not run ahead of its step
};

}  // namespace

ExitCode train(const Runtime& rt, RunConfig* config, ConfigReader* reader,
               const MakeSampleAnswers& make_sample_answers) {
  try {
    return Trainer(rt, config, reader, make_sample_answers).train();
  } catch (const parallel::AgreedError& error) {
    if (error.code() == ExitCode::kRequeue) {  // before the first step: there is nothing to save
      log::info("{}; run the same command again to continue", error.what());
      return ExitCode::kRequeue;
    }
    log::file_error(error.what());  // on rank 0, which has the file
    throw;
  } catch (const std::exception& error) {
    note_failure_of_rank(rt, config->options.run, error.what());
    throw;
  }
}

}  // namespace lynceus::train
