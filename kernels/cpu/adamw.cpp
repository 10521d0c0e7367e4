// AdamW on CPUs: one pass over memory. The formula of kernels/adamw.h, arranged so that f32 keeps
// it: scalars are computed in f64, and every factor next to one is applied as a small difference.
// (0.999 in f32 makes 1 − β₂ wrong by 1e-5; 1 − lr·wd in f32 makes the decay wrong by up to 1 %.)
#include "kernels/cpu/adamw.h"

#include <cmath>

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {

void adamw(const AdamWStep& step, const Tensor& grad, const Tensor& value, const Tensor& m,
           const Tensor& v) {
  const auto t = static_cast<double>(step.step);
  const double correction1 = 1 - std::pow(step.beta1, t);
  const double correction2 = 1 - std::pow(step.beta2, t);
  const auto step_size = static_cast<float>(step.lr / correction1);
  const auto root_factor = static_cast<float>(1 / std::sqrt(correction2));
  const auto decay = static_cast<float>(step.lr * step.weight_decay);
  const auto rate1 = static_cast<float>(1 - step.beta1);
  const auto rate2 = static_cast<float>(1 - step.beta2);
  const auto eps = static_cast<float>(step.eps);
  const auto grad_scale = static_cast<float>(step.grad_scale);
  const float* const gradient = grad.data<float>();
  float* const p = value.data<float>();
  float* const first = m.data<float>();
  float* const second = v.data<float>();
  for_each_block(value.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      const float g = grad_scale * gradient[i];
      const float mean = first[i] + rate1 * (g - first[i]);
      const float square = second[i] + rate2 * (g * g - second[i]);
      const float denominator = std::sqrt(square) * root_factor + eps;
      first[i] = mean;
      second[i] = square;
      p[i] -= decay * p[i] + step_size * (mean / denominator);
    }
  });
}

}  // namespace lynceus::kernels::cpu
