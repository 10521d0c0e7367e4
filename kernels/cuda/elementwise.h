// The CUDA side of kernels/elementwise.h: same contracts, arguments already checked.
#pragma once

#include <span>
#include <vector>

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void add(const Stream& stream, const Tensor& a, const Tensor& b, const Tensor& y);
void add_bias(const Stream& stream, const Tensor& bias, const Tensor& y);
void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums);
void adapter_epilogue_forward(const Stream& stream, const Tensor& residual, const Tensor& up,
                              const Tensor& bias, const Tensor& scaling, const Tensor& y);
void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias);
std::vector<double> sums_of_squares(const Stream& stream, std::span<const Tensor> tensors);

}  // namespace lynceus::kernels::cuda
