#include "train/incarnation/job_clock.h"

#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>

#include "core/log.h"
#include "core/process/stop_request.h"
#include "core/text/units.h"
#include "core/text/utc.h"
#include "io/files/lease.h"

namespace lynceus::train {
namespace {

constexpr const char* kVariables[] = {"LYNCEUS_JOB_END", "SLURM_JOB_END_TIME"};
constexpr const char* kSignal = "LYNCEUS_JOB_SIGNAL";
constexpr double kUsualSignal = 600;  // seconds, if that is not set
constexpr double kEarlySignal = 90;   // Slurm is up to a minute early
constexpr std::chrono::milliseconds kInterval{50};
constexpr double kOldest = 3600;  // seconds; MPI starts sooner

double request_seconds() {
  const char* text = std::getenv(kSignal);
  const double given = text == nullptr ? 0 : std::atof(text);
  return given > 0 ? given + kEarlySignal : kUsualSignal;
}

std::optional<JobEnd> end_of_job() {
  for (const char* name : kVariables) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == 0) continue;
    char* rest = nullptr;
    const double seconds = std::strtod(text, &rest);
    if (*rest == 0 && std::isfinite(seconds) && seconds > 0)
      return JobEnd{seconds, name, request_seconds(), /*kills=*/true};
    log::warn("{}: expected seconds since 1970, found '{}': ignored", name, text);
  }
  return std::nullopt;
}

}  // namespace

std::optional<JobEnd> find_job_end(double max_hours, double process_begin) {
  std::optional<JobEnd> end = end_of_job();
  if (max_hours <= 0) return end;
  const double limit = process_begin + 3600 * max_hours;
  if (!end || limit < end->unix_seconds)
    end = JobEnd{limit, fmt::format("train.max_hours = {:g}", max_hours)};
  return end;
}

bool JobEnd::explains_request() const { return unix_seconds - unix_now() <= request_seconds; }

double process_begin() {
  timespec since_boot{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const double now =
      static_cast<double>(since_boot.tv_sec) + 1e-9 * static_cast<double>(since_boot.tv_nsec);
  const auto ticks = static_cast<double>(io::this_process().start_time);
  const double age = now - ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  // A container may give /proc another clock.
  return unix_now() - (age > 0 && age < kOldest ? age : 0);
}

JobClock::JobClock(JobEnd end, const Pace* pace)
    : end_(std::move(end)), pace_(pace), thread_([this] { watch(); }) {}

JobClock::~JobClock() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

double JobClock::seconds_left() const { return end_.unix_seconds - unix_now(); }

std::string JobClock::describe() const {
  return fmt::format("the job ends at {} ({}), in {}; the run stops about {} earlier",
                     local_text(end_.unix_seconds), end_.source, seconds_text(seconds_left()),
                     seconds_text(pace_->margin()));
}

void JobClock::check() {
  const double left = seconds_left(), margin = pace_->margin();
  if (left >= margin || is_up_.exchange(true)) return;
  if (pace_->steps() == 0)
    log::warn(
        "the job ends in {:.1f} s ({}): no time for a step and a save, which need about {:.1f} s",
        left, end_.source, margin);
  else
    log::info("the job ends in {:.1f} s ({}): stopping; a step takes {:.1f} s, a save {:.1f} s",
              left, end_.source, pace_->step(), pace_->save());
  set_stop_requested(true);
}

void JobClock::watch() {
  std::unique_lock lock(mutex_);
  bool has_ended = false;
  while (!wake_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    check();
    if (has_ended || seconds_left() > 0) continue;
    has_ended = true;
    log::warn(
        "the end of the job has come ({}), and the run has not ended: {}A longer job or an earlier "
        "signal leaves more time for a step and a save",
        end_.source,
        end_.kills ? "it may be killed now, and the steps after its newest checkpoint be lost. "
                   : "");
  }
}

}  // namespace lynceus::train
