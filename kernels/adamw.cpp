#include "kernels/adamw.h"

#include "kernels/checks.h"
#include "kernels/device/adamw.h"

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
  if (stream.device().is_cpu())
    cpu::kAdamW.adamw(stream, updates);
  else
    cuda::kAdamW.adamw(stream, updates);
}

}  // namespace lynceus::kernels
