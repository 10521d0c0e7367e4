#pragma once

#include "kernels/cross_entropy.h"
#include "kernels/device/kernel.h"

namespace lynceus::kernels {

struct CrossEntropyKernels {
  Kernel<decltype(kernels::cross_entropy_partial)> cross_entropy_partial;
  Kernel<decltype(kernels::cross_entropy_rebase)> cross_entropy_rebase;
  Kernel<decltype(kernels::cross_entropy_finish)> cross_entropy_finish;
};

namespace cpu {
extern const CrossEntropyKernels kCrossEntropy;
}
namespace cuda {
extern const CrossEntropyKernels kCrossEntropy;
}

}  // namespace lynceus::kernels
