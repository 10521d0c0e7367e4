#include "train/save/save_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lynceus::train {
namespace {

constexpr double kRetryFactor = 10;
constexpr double kFirstMinutes = 30;  // auto, before a save was measured
constexpr double kWorthALine = 0.2;   // of the interval

}  // namespace

SaveSchedule::SaveSchedule(const CheckpointConfig& config, int nodes)
    : config_(config),
      mtbf_hours_(config.given_mtbf_hours().value_or(published_mtbf_hours(nodes))),
      interval_(config.given_minutes().value_or(kFirstMinutes)),
      logged_interval_(interval_),
      minutes_(interval_) {}

std::string SaveSchedule::took(double blocking_seconds, double save_seconds) {
  if (config_.given_minutes()) return "";
  interval_ = young_minutes(blocking_seconds, save_seconds, mtbf_hours_);
  minutes_ = interval_;
  if (std::abs(interval_ - logged_interval_) <= kWorthALine * logged_interval_) return "";
  logged_interval_ = interval_;
  return fmt::format(
      "checkpoint.every_minutes = auto: every {:.1f} min, because a save stops training for {:.2f} "
      "s and a failure is expected every {:.0f} h",
      interval_, blocking_seconds, mtbf_hours_);
}

bool SaveSchedule::time_has_passed(Clock::time_point now) const {
  const std::chrono::duration<double, std::ratio<60>> minutes = now - begin_;
  return interval_ > 0 && minutes.count() >= minutes_;
}

void SaveSchedule::restart(Clock::time_point now) {
  begin_ = now;
  minutes_ = interval_;
  retry_minutes_ = kFirstRetryMinutes;
}

void SaveSchedule::failed(Clock::time_point now) {
  begin_ = now;
  minutes_ = std::min(retry_minutes_, interval_);
  retry_minutes_ *= kRetryFactor;
}

std::string SaveSchedule::describe(int64_t step, int64_t last) const {
  const int64_t next =
      config_.every > 0 ? std::min(last, (step / config_.every + 1) * config_.every) : last;
  std::string at = fmt::format("at step {}", next);
  if (next == last) at += ", the end of this run";
  if (interval_ == 0) return "next checkpoint " + at;
  return fmt::format("next checkpoint in {:g} min or {}", interval_, at);
}

}  // namespace lynceus::train
