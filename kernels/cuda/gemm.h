// The CUDA side of kernels/gemm.h (cuBLASLt): same contracts, arguments already checked. x, w, y,
// dy and dx are of one type, f32 or bf16 (a bias is rounded to it); sums run in f32, and f32
// products never round their factors.
#pragma once

#include "kernels/gemm.h"

namespace lynceus::kernels::cuda {

void linear_forward(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                    const Tensor& y, Activation activation);
void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate);
/// dw f32 += dyᵀ·x
void linear_backward_weight(const Stream& stream, const Tensor& dy, const Tensor& x,
                            const Tensor& dw);
void search_products(const Stream& stream, bool search);
bool searches_products(const Stream& stream);

}  // namespace lynceus::kernels::cuda
