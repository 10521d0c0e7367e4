#include "train/run/run_saves.h"

#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "core/log.h"
#include "core/text/units.h"
#include "parallel/agreement.h"
#include "train/run/run_ending.h"
#include "train/save/staging_choice.h"

namespace lynceus::train {
namespace {

constexpr int kSaveFailuresInARow = 3;
constexpr double kLongWait = 1;  // seconds; shorter ones are not worth a line

int count_nodes(const std::vector<std::string>& nodes) {
  return static_cast<int>(std::set<std::string>(nodes.begin(), nodes.end()).size());
}

/// Tells the watchdog that the thread of the save has ended, also by an exception.
class SavingEnds {
 public:
  explicit SavingEnds(SectionClock* clock) : clock_(*clock) {}
  ~SavingEnds() { clock_.saving_ended(); }
  SavingEnds(const SavingEnds&) = delete;
  SavingEnds& operator=(const SavingEnds&) = delete;

 private:
  SectionClock& clock_;
};

}  // namespace

RunSaves::RunSaves(TrainingRun* run, RunWatch* watch, StopClock* clock, Pace* pace)
    : run_(*run),
      watch_(*watch),
      clock_(*clock),
      pace_(*pace),
      schedule_(run->config.checkpoint, count_nodes(run->nodes)) {
  if (run_.has_checkpoint) saved_step_ = run_.position.step;
}

void RunSaves::try_out(int64_t last) {
  watch_.enter(Section::kCheckpoint, run_.position.step);
  const auto begin = std::chrono::steady_clock::now();
  const io::TrialResult trial = run_.state->try_saving(run_.store.get());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  pace_.guess_save(seconds.count(), trial.checkpoint_bytes);
  if (run_.incarnation) recall_pace(*run_.incarnation, &pace_);
  log::info("a checkpoint takes {}; {} are free in {}", bytes_text(trial.checkpoint_bytes),
            bytes_text(trial.free_bytes), run_.directory.string());
  staging_ = choose_staging(run_.rt, run_.config.checkpoint, trial.staging_bytes, run_.nodes);
  schedule_.restart();
  log::info("{}", schedule_.describe(run_.position.step, last));
  // A rollback needs a checkpoint to go back to.
  if (run_.config.train.nonfinite == "rollback" && saved_step_ < 0 && !save())
    throw parallel::AgreedError(ExitCode::kIo, "the state before the first step was not saved");
}

void RunSaves::step_done(double seconds, bool finished) {
  unsaved_seconds_ += seconds;
  seconds_since_snapshot_ += seconds;
  background_.check();
  if (finished) take();
}

bool RunSaves::is_due(bool time_has_passed) {
  if (schedule_.is_due_at(run_.position.step)) return true;
  if (!time_has_passed || !background_.is_running()) return time_has_passed;
  say_once_that_saves_are_long(background_.step(), "the next one begins when it has ended");
  return false;
}

void RunSaves::say_once_that_saves_are_long(int64_t step, const std::string& consequence) {
  if (has_said_long_ || !run_.is_first_rank()) return;
  has_said_long_ = true;
  log::warn(
      "the checkpoint of step {} was still being written when the next one was due: {}. Saves take "
      "longer than the time between them: a larger checkpoint.every or checkpoint.every_minutes "
      "avoids that",
      step, consequence);
}

void RunSaves::begin() {
  if (background_.is_running()) {
    const int64_t step = background_.step();
    const auto begin = std::chrono::steady_clock::now();
    take();
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
    if (waited.count() > kLongWait)
      say_once_that_saves_are_long(step,
                                   fmt::format("training waited {:.1f} s for it", waited.count()));
  }
  if (is_saved()) return;
  run_.report.flush();
  if (staging_)
    save_beside();
  else
    save();
}

void RunSaves::save_beside() {
  const RunPosition& position = run_.position;
  const auto begin = std::chrono::steady_clock::now();
  snapshot_ = run_.state->take_snapshot(run_.store.get(), position, *staging_);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  snapshot_.seconds = seconds.count();
  schedule_.restart();
  seconds_since_snapshot_ = 0;
  clock_.set_saving(true);
  pace_.set_saving(true);
  SectionClock* clock = &watch_.clock();
  clock->saving_began(position.step);
  background_.begin(position.step, [this, clock, step = position.step] {
    const SavingEnds ends(clock);
    run_.report.make_durable();
    io::SaveResult result = run_.store->save(snapshot_);
    if (result.committed) clock_.saved(step, result.seconds);  // a long step may be asked to stop
    return result;
  });
}

void RunSaves::take() {
  const int64_t step = background_.step();
  const io::SaveResult result = background_.take();
  clock_.set_saving(false);
  pace_.set_saving(false);
  watch_.clock().saving_took(result.seconds);
  const double blocking = snapshot_.seconds;
  snapshot_ = {};
  record(result, step, blocking);
  if (result.committed) unsaved_seconds_ = seconds_since_snapshot_;
}

void RunSaves::wait() {
  if (background_.is_running()) take();
}

double RunSaves::went_back() {
  saved_step_ = run_.position.step;
  seconds_since_snapshot_ = 0;
  return std::exchange(unsaved_seconds_, 0);
}

bool RunSaves::save() {
  wait();
  if (is_saved()) return true;
  run_.report.flush();
  run_.report.make_durable();
  const io::SaveResult result = run_.state->save(run_.store.get(), run_.position);
  if (result.committed) {
    schedule_.restart();
    unsaved_seconds_ = 0;
  }
  return record(result, run_.position.step, result.seconds);
}

void RunSaves::enter_save() {
  clock_.begin(Activity::kSave);
  watch_.enter(Section::kCheckpoint, run_.position.step);
}

bool RunSaves::has_time_for_one_more(const JobClock* job_clock) {
  const bool has = job_clock == nullptr || job_clock->seconds_left() >= pace_.save();
  return !run_.rt.grid.world->broadcast(has ? "yes" : "", 0).empty();
}

bool RunSaves::wait_to_try_again(SavePatience* patience, const JobClock* job_clock) {
  constexpr const char* kLeaseLost = "lease";
  std::string pause;  // of rank 0; empty: no more tries
  if (run_.is_first_rank()) {
    const auto left =
        job_clock == nullptr ? std::nullopt : std::optional(job_clock->seconds_left());
    const auto seconds = patience->next_pause(left, pace_.save());
    if (run_.lease != nullptr && !run_.lease->still_mine())
      pause = kLeaseLost;
    else if (seconds)
      pause = fmt::format("{}", *seconds);
  }
  pause = run_.rt.grid.world->broadcast(pause, 0);
  if (pause == kLeaseLost) throw lost_lease(run_);
  if (pause.empty()) return false;
  log::info("step {} is saved again in {} s", run_.position.step, pause);
  std::this_thread::sleep_for(std::chrono::duration<double>(std::stod(pause)));
  return true;
}

std::string RunSaves::what_remains() const {
  if (saved_step_ < 0)
    return fmt::format("there is no checkpoint: all {} are lost",
                       counted(run_.position.step, "step"));
  return fmt::format("the checkpoint of step {} remains, the {} after it are lost", saved_step_,
                     counted(run_.position.step - saved_step_, "step"));
}

void RunSaves::save_last(const JobClock* job_clock, bool stops) {
  is_last_ = true;
  if (background_.is_running()) {
    enter_save();
    wait();
    if (stops && !has_time_for_one_more(job_clock) && !is_saved() && saved_step_ > 0) {
      log::warn("no time is left to save the steps after the checkpoint of step {}", saved_step_);
      return;
    }
  }
  if (run_.position.step == 0 || is_saved()) return;
  watch_.compare_replicas(run_.optimizer->parameters(), run_.position.step,
                          /*will_be_saved=*/true, [this] { return saved_step_; });
  SavePatience patience(run_.config.checkpoint.patience);
  int tries = 1;
  for (enter_save(); !save(); enter_save(), ++tries) {
    if (wait_to_try_again(&patience, job_clock)) continue;
    has_given_up_ = true;
    throw parallel::AgreedError(
        stops ? ExitCode::kRequeue : ExitCode::kIo,
        fmt::format("step {} could not be saved ({}): {}; the last failure: {}", run_.position.step,
                    counted(tries, "attempt"), what_remains(), failure_));
  }
}

bool RunSaves::record(const io::SaveResult& result, int64_t step, double blocking) {
  if (result.committed) {
    failures_ = 0;
    saved_step_ = step;
    clock_.saved(step, result.seconds);
    pace_.save_took(result.seconds);
    log::info("checkpoint {}: {} in {}", result.path.filename().string(), bytes_text(result.bytes),
              seconds_text(result.seconds));
    if (const std::string line = schedule_.took(blocking, result.seconds); !line.empty())
      log::info("{}", line);
    return true;
  }
  schedule_.failed();
  failure_ = result.message;
  if (run_.is_first_rank()) log::warn("no checkpoint of step {}: {}", step, result.message);
  if (++failures_ >= kSaveFailuresInARow && !is_last_)
    throw parallel::AgreedError(
        ExitCode::kIo,
        fmt::format("{} saves failed in a row, the last one: {}", failures_, result.message));
  return false;
}

}  // namespace lynceus::train
