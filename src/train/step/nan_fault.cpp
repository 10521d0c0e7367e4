#include "train/step/nan_fault.h"

#include <array>

#include "core/fault.h"

namespace lynceus::train {

NanFaults NanFaults::of_this_step() {
  NanFaults faults;
  faults.gradient = LYNCEUS_FAULT_ASKED("step.gradient");
  faults.output = LYNCEUS_FAULT_ASKED("step.output");
  return faults;
}

bool make_nan(const Tensor& tensor) {
  if (!tensor.defined() || tensor.size() == 0) return false;
  std::array<unsigned char, sizeof(double)> ones;
  ones.fill(0xff);  // NaN in f64, f32 and bf16
  tensor.reshape({tensor.size()}).slice(0, 1).copy_from_host(ones.data());
  return true;
}

}  // namespace lynceus::train
