#include "train/run/save_schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace lynceus::train {
namespace {

constexpr double kRetryFactor = 10;

}  // namespace

bool SaveSchedule::time_has_passed(Clock::time_point now) const {
  const std::chrono::duration<double, std::ratio<60>> minutes = now - begin_;
  return config_.every_minutes > 0 && minutes.count() >= minutes_;
}

void SaveSchedule::restart(Clock::time_point now) {
  begin_ = now;
  minutes_ = config_.every_minutes;
  retry_minutes_ = kFirstRetryMinutes;
}

void SaveSchedule::failed(Clock::time_point now) {
  begin_ = now;
  minutes_ = std::min(retry_minutes_, config_.every_minutes);
  retry_minutes_ *= kRetryFactor;
}

std::string SaveSchedule::describe(int64_t step, int64_t last) const {
  const int64_t next =
      config_.every > 0 ? std::min(last, (step / config_.every + 1) * config_.every) : last;
  std::string at = fmt::format("at step {}", next);
  if (next == last) at += ", the end of this run";
  if (config_.every_minutes == 0) return "next checkpoint " + at;
  return fmt::format("next checkpoint in {:g} min or {}", config_.every_minutes, at);
}

}  // namespace lynceus::train
