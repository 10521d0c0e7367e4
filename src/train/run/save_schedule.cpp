#include "train/run/save_schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace lynceus::train {

bool SaveSchedule::time_has_passed() const {
  const std::chrono::duration<double, std::ratio<60>> minutes = Clock::now() - begin_;
  return config_.every_minutes > 0 && minutes.count() >= config_.every_minutes;
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
