#include "judge/request_pace.h"

#include <algorithm>
#include <cmath>

namespace lynceus::judge {
namespace {

constexpr double kMinute = 60;
constexpr double kMostAskedFor = 600;

}  // namespace

double RequestPace::wait(double now) const {
  double free_at = held_until_;
  if (per_minute_ > 0 && static_cast<int64_t>(sent_.size()) >= per_minute_)
    free_at = std::max(free_at, sent_.front() + kMinute);
  return std::max(0.0, free_at - now);
}

void RequestPace::sent(double now) {
  if (per_minute_ == 0) return;
  sent_.push_back(now);
  if (static_cast<int64_t>(sent_.size()) > per_minute_) sent_.pop_front();
}

void RequestPace::hold_until(double time) { held_until_ = std::max(held_until_, time); }

double retry_wait(int64_t failures, double first, double random, std::optional<double> asked_for) {
  const double doubled =
      std::min(kMinute, std::ldexp(first, static_cast<int>(std::min<int64_t>(failures - 1, 30))));
  return std::max(doubled * (0.5 + random), std::clamp(asked_for.value_or(0), 0.0, kMostAskedFor));
}

}  // namespace lynceus::judge
