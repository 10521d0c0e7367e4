// The CPU side is kernels/cpu/float32.h.
#pragma once

#include "kernels/cast.h"
#include "kernels/device/kernel.h"

namespace lynceus::kernels {

struct CastKernels {
  Kernel<decltype(kernels::cast)> cast;
};

namespace cuda {
extern const CastKernels kCast;
}

}  // namespace lynceus::kernels
