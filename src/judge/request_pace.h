// When the next request may be sent. Times are seconds of one clock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace lynceus::judge {

/// At most `per_minute` requests in any 60 seconds, and none before a time that the server named.
class RequestPace {
 public:
  /// 0: no limit.
  explicit RequestPace(int64_t per_minute) : per_minute_(per_minute) {}

  /// Seconds to wait; 0: now.
  double wait(double now) const;
  void sent(double now);
  void hold_until(double time);

 private:
  int64_t per_minute_;
  std::deque<double> sent_;  // the last per_minute_ requests
  double held_until_ = 0;
};

/// Seconds before a question is asked again after its `failures` failures: `first`, doubled with
/// each failure up to a minute, times 0.5 to 1.5 as `random` in [0, 1) says, so that clients do not
/// come back together. At least what the server asked for, up to ten minutes.
double retry_wait(int64_t failures, double first, double random, std::optional<double> asked_for);

}  // namespace lynceus::judge
