#pragma once

#include "kernels/attention.h"
#include "kernels/device/kernel.h"

namespace lynceus::kernels {

struct AttentionKernels {
  Kernel<decltype(kernels::attention_forward)> attention_forward;
  Kernel<decltype(kernels::attention_backward)> attention_backward;
};

namespace cpu {
extern const AttentionKernels kAttention;
}
namespace cuda {
extern const AttentionKernels kAttention;
}

}  // namespace lynceus::kernels
