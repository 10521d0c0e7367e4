// The CPU side of kernels/rope.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

/// head_dim is twice the columns of cos.
void rope_table(const Tensor& positions, double theta, const Tensor& cos, const Tensor& sin);

/// Rotates x in place by sign · angle.
void rope_rotate(const Tensor& cos, const Tensor& sin, float sign, const Tensor& x);

}  // namespace lynceus::kernels::cpu
