// How long a run that ends goes on trying to save its last steps.
#pragma once

#include <chrono>
#include <optional>

namespace lynceus::train {

class SavePatience {
 public:
  using Clock = std::chrono::steady_clock;

  /// The time begins now and lasts for `seconds`.
  explicit SavePatience(double seconds, Clock::time_point now = Clock::now())
      : begin_(now), seconds_(seconds) {}

  /// After a save that failed: the seconds to wait before the next one, twice as long each time;
  /// nullopt: there is no time for it. `seconds_left`: until the job ends, if that is known;
  /// `save_seconds`: what a save takes.
  std::optional<double> next_pause(std::optional<double> seconds_left, double save_seconds,
                                   Clock::time_point now = Clock::now());

 private:
  Clock::time_point begin_;
  double seconds_;
  double pause_ = 1;
};

}  // namespace lynceus::train
