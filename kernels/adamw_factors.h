// The scalars of an AdamW step for f32 arithmetic: computed in f64, and every factor close to one
// expressed as its difference from one. (0.999 in f32 makes 1 − β₂ wrong by 1e-5; 1 − lr·wd in f32
// makes the decay wrong by up to 1 %.)
#pragma once

#include <cmath>

#include "kernels/adamw.h"

namespace lynceus::kernels {

struct AdamWFactors {
  float step_size, root_factor, decay, rate1, rate2, eps, grad_scale;

  AdamWFactors() = default;
  explicit AdamWFactors(const AdamWStep& step) {
    const auto t = static_cast<double>(step.step);
    step_size = static_cast<float>(step.lr / (1 - std::pow(step.beta1, t)));
    root_factor = static_cast<float>(1 / std::sqrt(1 - std::pow(step.beta2, t)));
    decay = static_cast<float>(step.lr * step.weight_decay);
    rate1 = static_cast<float>(1 - step.beta1);
    rate2 = static_cast<float>(1 - step.beta2);
    eps = static_cast<float>(step.eps);
    grad_scale = static_cast<float>(step.grad_scale);
  }
};

}  // namespace lynceus::kernels
