// Checks of the optimizer kernel, then the device's implementation.
#include "kernels/adamw.h"

#include "kernels/checks.h"
#include "kernels/cpu/adamw.h"
#include "kernels/cpu/float32.h"
#include "kernels/cuda/adamw.h"

namespace lynceus::kernels {

void adamw(const Stream& stream, std::span<const AdamWUpdate> updates) {
  for (const auto& [step, grad, value, m, v, rounded] : updates) {
    LYNCEUS_CHECK(step.step >= 1, "adamw: step {}, counted from 1", step.step);
    check_vector("adamw", "value", value, value.size());
    check_vector("adamw", "grad", grad, value.size());
    check_vector("adamw", "m", m, value.size());
    check_vector("adamw", "v", v, value.size());
    if (rounded.defined()) check_vector("adamw", "rounded", rounded, value.size(), DType::kBf16);
  }
  if (!stream.device().is_cpu()) return cuda::adamw(stream, updates);
  for (const auto& [step, grad, value, m, v, rounded] : updates) {
    cpu::adamw(step, grad, value, m, v);
    if (rounded.defined()) cpu::convert(value, rounded);
  }
}

}  // namespace lynceus::kernels
