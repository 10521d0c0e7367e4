// The CUDA side of kernels/activation.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void swiglu_forward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& y);
void swiglu_backward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& dy,
                     const Tensor& dgate, const Tensor& dup);
void silu_forward(const Stream& stream, const Tensor& x, const Tensor& y);
void silu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx);
void gelu_forward(const Stream& stream, const Tensor& x, const Tensor& y);
void gelu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx);

}  // namespace lynceus::kernels::cuda
