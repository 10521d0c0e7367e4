// The CUDA side of kernels/adamw.h: same contract, arguments already checked.
#pragma once

#include "kernels/adamw.h"

namespace lynceus::kernels::cuda {

void adamw(const Stream& stream, const AdamWStep& step, const Tensor& grad, const Tensor& value,
           const Tensor& m, const Tensor& v, const Tensor* rounded);

}  // namespace lynceus::kernels::cuda
