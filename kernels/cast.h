// Conversion between f32 and bf16.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// y = x, rounded to nearest, ties to even. One of the two is f32, the other bf16; any equal sizes.
void cast(const Stream& stream, const Tensor& x, const Tensor& y);

}  // namespace lynceus::kernels
