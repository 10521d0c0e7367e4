// The CPU side of kernels/elementwise.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

void add(const Tensor& a, const Tensor& b, const Tensor& y);
void add_bias(const Tensor& bias, const Tensor& y);
void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums);
void adapter_epilogue_forward(const Tensor& residual, const Tensor& up, const Tensor& bias,
                              const Tensor& scaling, const Tensor& y);
void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias);
double sum_of_squares(const Tensor& x);

}  // namespace lynceus::kernels::cpu
