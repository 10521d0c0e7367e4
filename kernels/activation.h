// Element-wise nonlinearities: SiLU, SwiGLU's product, exact (erf) GELU. All tensors have the same
// size and type, f32 or bf16. Activation gradients are `=`; dx may alias dy.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// y = silu(gate) · up,  silu(x) = x · sigmoid(x).  (Shazeer 2020)
void swiglu_forward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& y);
/// dgate = dy · up · silu'(gate);  dup = dy · silu(gate).
void swiglu_backward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& dy,
                     const Tensor& dgate, const Tensor& dup);

/// y = x · sigmoid(x).
void silu_forward(const Stream& stream, const Tensor& x, const Tensor& y);
/// dx = dy · silu'(x).
void silu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx);

/// y = x · Φ(x),  Φ(x) = (1 + erf(x / √2)) / 2.
void gelu_forward(const Stream& stream, const Tensor& x, const Tensor& y);
/// dx = dy · (Φ(x) + x · φ(x)).
void gelu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx);

}  // namespace lynceus::kernels
