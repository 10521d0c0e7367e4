// One pass over memory.
#include "kernels/device/adamw.h"

#include <cmath>

#include "kernels/adamw_factors.h"
#include "kernels/cpu/float32.h"
#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {
namespace {

void update_master(const AdamWStep& step, const Tensor& grad, const Tensor& value, const Tensor& m,
                   const Tensor& v) {
  const AdamWFactors f(step);
  const float* const gradient = grad.data<float>();
  float* const p = value.data<float>();
  float* const first = m.data<float>();
  float* const second = v.data<float>();
  for_each_block(value.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      const float g = f.grad_scale * gradient[i];
      const float mean = first[i] + f.rate1 * (g - first[i]);
      const float square = second[i] + f.rate2 * (g * g - second[i]);
      const float denominator = std::sqrt(square) * f.root_factor + f.eps;
      first[i] = mean;
      second[i] = square;
      p[i] -= f.decay * p[i] + f.step_size * (mean / denominator);
    }
  });
}

void adamw(const Stream& /*stream*/, std::span<const AdamWUpdate> updates) {
  for (const auto& [step, grad, value, m, v, rounded] : updates) {
    update_master(step, grad, value, m, v);
    if (rounded.defined()) convert(value, rounded);
  }
}

}  // namespace

const AdamWKernels kAdamW = {.adamw = adamw};

}  // namespace lynceus::kernels::cpu
