// The CUDA side of kernels/cast.h: same contract, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void cast(const Stream& stream, const Tensor& x, const Tensor& y);

}  // namespace lynceus::kernels::cuda
