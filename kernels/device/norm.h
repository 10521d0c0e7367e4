#pragma once

#include "kernels/device/kernel.h"
#include "kernels/norm.h"

namespace lynceus::kernels {

struct NormKernels {
  Kernel<decltype(kernels::rms_norm_forward)> rms_norm_forward;
  Kernel<decltype(kernels::rms_norm_backward)> rms_norm_backward;
  Kernel<decltype(kernels::layer_norm_forward)> layer_norm_forward;
  Kernel<decltype(kernels::layer_norm_backward)> layer_norm_backward;
};

namespace cpu {
extern const NormKernels kNorm;
}
namespace cuda {
extern const NormKernels kNorm;
}

}  // namespace lynceus::kernels
