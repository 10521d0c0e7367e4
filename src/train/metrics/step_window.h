// Means over the steps since the last line of the log.
#pragma once

#include <cstdint>

namespace lynceus::train {

class StepWindow {
 public:
  void add(double loss, double gradient_norm, double seconds, int64_t samples) {
    ++steps_;
    loss_ += loss;
    gradient_norm_ += gradient_norm;
    seconds_ += seconds;
    samples_ += samples;
  }
  int64_t steps() const { return steps_; }
  /// Each needs at least one step.
  double loss() const { return loss_ / static_cast<double>(steps_); }
  double gradient_norm() const { return gradient_norm_ / static_cast<double>(steps_); }
  double seconds_per_step() const { return seconds_ / static_cast<double>(steps_); }
  double samples_per_second() const { return static_cast<double>(samples_) / seconds_; }

 private:
  int64_t steps_ = 0;
  double loss_ = 0, gradient_norm_ = 0, seconds_ = 0;
  int64_t samples_ = 0;
};

}  // namespace lynceus::train
