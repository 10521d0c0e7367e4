#include "train/run/stop_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/log.h"
#include "parallel/launch/launcher_output.h"

namespace lynceus::train {
namespace {

constexpr double kDefaultTimeout = 1;      // of Open MPI's odls_base_sigkill_timeout, seconds
constexpr double kLongLimit = 10;          // no launcher waits so long unless told to
constexpr double kFirstSaveSeconds = 0.3;  // until one has been measured
constexpr double kMargin = 2;              // a busy machine takes longer than the time before

/// The rest of the current step, batch or save, and a save if one is due.
double remaining_seconds(const StopSituation& s) {
  const double save = s.save_seconds > 0 ? s.save_seconds : kFirstSaveSeconds;
  const bool unsaved = s.activity == Activity::kStep || s.step > s.saved_step;
  switch (s.activity) {
    case Activity::kLoading:
      return 0;
    case Activity::kStep:
      return std::max(0.0, s.step_seconds - s.seconds_in) + save;
    case Activity::kSave:
      return std::max(0.0, save - s.seconds_in);
    case Activity::kValidation:
      return std::max(0.0, s.batch_seconds - s.seconds_in) + (unsaved ? save : 0);
    case Activity::kWaiting:
      break;
  }
  return unsaved ? save : 0;
}

/// The same, and the rest of a save that runs meanwhile.
double remaining_with_saving(const StopSituation& s) {
  const double save = s.save_seconds > 0 ? s.save_seconds : kFirstSaveSeconds;
  const bool counts = s.saving_seconds >= 0 && s.activity != Activity::kSave;
  return remaining_seconds(s) + (counts ? std::max(0.0, save - s.saving_seconds) : 0);
}

/// Why the remaining time is not known; empty: it is.
const char* unknown_time(const StopSituation& s) {
  if (s.activity == Activity::kStep && s.step_seconds == 0)
    return ", the first of this start, whose time is not known";
  if (s.activity == Activity::kValidation && s.batch_seconds == 0)
    return " after its first batch, whose time is not known";
  return "";
}

const char* what_is_done(const StopSituation& s) {
  switch (s.activity) {
    case Activity::kLoading:
      return "stopping while loading, no step was done since the start, so none is lost";
    case Activity::kStep:
      return "stopping after this step";
    case Activity::kSave:
      return "stopping after this checkpoint";
    case Activity::kValidation:
      return "leaving the validation";
    case Activity::kWaiting:
      break;
  }
  return "no longer waiting for data";
}

}  // namespace

std::string answer_to_stop(const StopSituation& s) {
  std::string line = fmt::format("asked to stop: {}", what_is_done(s));
  const double seconds = remaining_with_saving(s);
  const bool unknown = *unknown_time(s) != '\0';
  const bool is_loading = s.activity == Activity::kLoading;
  if (unknown)
    line += unknown_time(s);
  else if (!is_loading)
    line += fmt::format(", in about {:.1f} s", seconds);
  if (!s.limit) return line;
  if (*s.limit > kLongLimit && !unknown && seconds < *s.limit) return line;
  line += fmt::format(
      "; mpirun kills its ranks after {:g} s unless started with --mca odls_base_sigkill_timeout "
      "SECONDS (`lynceus train --ranks N` waits)",
      *s.limit);
  const bool is_certain = !unknown && s.save_seconds > 0 && kMargin * seconds < *s.limit;
  if (is_loading || is_certain) return line;
  // The step of now may still end, and be lost with those before it.
  const int64_t lost = s.step - std::max<int64_t>(s.saved_step, 0);
  if (s.saved_step < 0)
    return line +
           fmt::format("; if it does, no checkpoint exists yet and all steps are lost, {} so far",
                       lost);
  return line + fmt::format(
                    "; if it does, the checkpoint of step {} remains and the steps after it are "
                    "lost, {} so far",
                    s.saved_step, lost);
}

void give_answer(StopSituation situation, bool by_launcher) {
  if (by_launcher) situation.limit = seconds_until_kill();
  const std::string line = answer_to_stop(situation);
  if (by_launcher && parallel::write_to_mpirun(line))
    log::file_warn(line);
  else
    log::warn("{}", line);
}

std::optional<double> seconds_until_kill() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return std::nullopt;
  const char* given = std::getenv("OMPI_MCA_odls_base_sigkill_timeout");
  // Measured with 4.1.4: CONT at once, TERM after the timeout, KILL after twice the timeout.
  return 2 * (given == nullptr ? kDefaultTimeout : std::atof(given));
}

void StopClock::begin(Activity activity) {
  begin_ = count_until_now();
  activity_ = activity;
  is_in_batch_ = false;
}

void StopClock::begin_batch() {
  const auto begin = begin_.load(), now = count_until_now();
  if (is_in_batch_) batch_seconds_ = std::chrono::duration<double>(now - begin).count();
  begin_ = now;
  is_in_batch_ = true;
}

StopClock::Clock::time_point StopClock::count_until_now() {
  const auto now = Clock::now();
  spent_[static_cast<size_t>(activity_.load())] +=
      std::chrono::duration<double>(now - begin_.load()).count();
  return now;
}

double StopClock::spent(Activity activity) const {
  const double before = spent_[static_cast<size_t>(activity)];
  if (activity != activity_) return before;
  return before + std::chrono::duration<double>(Clock::now() - begin_.load()).count();
}

void StopClock::saved(int64_t step, double seconds) {
  save_seconds_ = seconds;
  saved_step_ = step;
}

StopSituation StopClock::situation() const {
  StopSituation s;
  s.activity = activity_;
  s.seconds_in = std::chrono::duration<double>(Clock::now() - begin_.load()).count();
  s.step_seconds = step_seconds_;
  s.batch_seconds = batch_seconds_;
  s.save_seconds = save_seconds_;
  if (const auto since = saving_since_.load(); since != Clock::time_point())
    s.saving_seconds = std::chrono::duration<double>(Clock::now() - since).count();
  s.step = step_;
  s.saved_step = saved_step_;
  return s;
}

}  // namespace lynceus::train
