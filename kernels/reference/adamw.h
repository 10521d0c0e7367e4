// One AdamW update of one number, in the steps of torch.optim.AdamW's single-tensor path: the
// oracle of kernels/adamw.h.
#pragma once

#include <cmath>

#include "kernels/adamw.h"

namespace lynceus::kernels::reference {

template <typename T>
void adamw(const AdamWStep& step, T grad, T& value, T& m, T& v) {
  const T g = grad * step.grad_scale;
  value *= 1 - step.lr * step.weight_decay;
  m = m * step.beta1 + g * (1 - step.beta1);
  v = v * step.beta2 + g * g * (1 - step.beta2);
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  value -= step.lr / correction1 * m / (std::sqrt(v) / std::sqrt(correction2) + step.eps);
}

}  // namespace lynceus::kernels::reference
