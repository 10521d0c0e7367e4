// The CUDA side of kernels/rope.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void rope_table(const Stream& stream, const Tensor& positions, double theta, const Tensor& cos,
                const Tensor& sin);
/// x rotated in place by sign · angle. x f32 or bf16.
void rope_rotate(const Stream& stream, const Tensor& cos, const Tensor& sin, float sign,
                 const Tensor& x);

}  // namespace lynceus::kernels::cuda
