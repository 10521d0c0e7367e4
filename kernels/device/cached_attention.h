#pragma once

#include "kernels/cached_attention.h"
#include "kernels/device/kernel.h"

namespace lynceus::kernels {

/// On CPUs q and out are f32.
struct CachedAttentionKernels {
  Kernel<decltype(kernels::cached_attention_forward)> cached_attention_forward;
};

namespace cpu {
extern const CachedAttentionKernels kCachedAttention;
}
namespace cuda {
extern const CachedAttentionKernels kCachedAttention;
}

}  // namespace lynceus::kernels
