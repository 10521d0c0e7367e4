// Sums, residuals and the adapter's epilogue. Matrices are [rows, width], all f32 or all bf16 in a
// call; bias, scaling and sums are f32.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// y = a + b, any equal sizes; y may alias a or b.
void add(const Stream& stream, const Tensor& a, const Tensor& b, const Tensor& y);

/// y[r, :] += bias.  bias [width].
void add_bias(const Stream& stream, const Tensor& bias, const Tensor& y);

/// sums += Σ_r x[r, :], in a fixed order.  sums [width].
void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums);

/// The end of an adapter: y = residual + scaling · (up + bias).  scaling [1], bias [width].
/// y may alias residual.
void adapter_epilogue_forward(const Stream& stream, const Tensor& residual, const Tensor& up,
                              const Tensor& bias, const Tensor& scaling, const Tensor& y);

/// dup = scaling · dy;  dscaling += Σ dy · (up + bias);  dbias += scaling · Σ_r dy[r, :].
/// (The residual's gradient is dy itself.) Null outputs are not wanted.
void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias);

/// Σ x² of each tensor (f32), in f64, in a fixed order that does not depend on the number of
/// threads. Waits for the stream, once.
std::vector<double> sums_of_squares(const Stream& stream, std::span<const Tensor> tensors);

}  // namespace lynceus::kernels
