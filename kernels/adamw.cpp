// Checks of the optimizer kernel, then the device's implementation.
#include "kernels/adamw.h"

#include "kernels/checks.h"
#include "kernels/cpu/adamw.h"

namespace lynceus::kernels {

void adamw(const Stream& stream, const AdamWStep& step, const Tensor& grad, const Tensor& value,
           const Tensor& m, const Tensor& v) {
  check_on_cpu("adamw", stream);
  LYNCEUS_CHECK(step.step >= 1, "adamw: step {}, counted from 1", step.step);
  check_vector("adamw", "value", value, value.size());
  check_vector("adamw", "grad", grad, value.size());
  check_vector("adamw", "m", m, value.size());
  check_vector("adamw", "v", v, value.size());
  cpu::adamw(step, grad, value, m, v);
}

}  // namespace lynceus::kernels
