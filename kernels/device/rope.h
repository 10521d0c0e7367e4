#pragma once

#include "kernels/device/kernel.h"
#include "kernels/rope.h"

namespace lynceus::kernels {

struct RopeKernels {
  Kernel<decltype(kernels::rope_table)> rope_table;
  /// Rotates x in place by sign · angle. cos, sin, x as in rope_forward.
  Kernel<void(const Stream& stream, const Tensor& cos, const Tensor& sin, float sign,
              const Tensor& x)>
      rope_rotate;
};

namespace cpu {
extern const RopeKernels kRope;
}
namespace cuda {
extern const RopeKernels kRope;
}

}  // namespace lynceus::kernels
