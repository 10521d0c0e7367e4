#pragma once

#include "kernels/activation.h"
#include "kernels/device/kernel.h"

namespace lynceus::kernels {

struct ActivationKernels {
  Kernel<decltype(kernels::swiglu_forward)> swiglu_forward;
  Kernel<decltype(kernels::swiglu_backward)> swiglu_backward;
  Kernel<decltype(kernels::silu_forward)> silu_forward;
  Kernel<decltype(kernels::silu_backward)> silu_backward;
  Kernel<decltype(kernels::gelu_forward)> gelu_forward;
  Kernel<decltype(kernels::gelu_backward)> gelu_backward;
};

namespace cpu {
extern const ActivationKernels kActivation;
}
namespace cuda {
extern const ActivationKernels kActivation;
}

}  // namespace lynceus::kernels
