#pragma once

#include "kernels/adamw.h"
#include "kernels/device/kernel.h"

namespace lynceus::kernels {

struct AdamWKernels {
  Kernel<decltype(kernels::adamw)> adamw;
};

namespace cpu {
extern const AdamWKernels kAdamW;
}
namespace cuda {
extern const AdamWKernels kAdamW;
}

}  // namespace lynceus::kernels
