// RMSNorm (Zhang, Sennrich 2019, as in LLaMA) and LayerNorm (Ba, Kiros, Hinton 2016), row by row.
//
// x, y, dy, dx, dresidual [rows, width] are all f32 or all bf16 in a call; weight, bias, dweight,
// dbias [width] and inv_rms, mean, inv_std [rows] are f32. Activation gradients are `=`, parameter
// gradients `+=`, summed over rows in a fixed order.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// y = x / rms(x) · weight,  rms(x) = sqrt(mean(x²) + eps).  inv_rms: 1 / rms, null: not wanted.
void rms_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor* inv_rms);

/// dx = dresidual + inv_rms · (dy·w − x̂ · mean(x̂ · dy·w)),  x̂ = x · inv_rms;  dweight += Σ dy·x̂.
/// dresidual [rows, width]: the gradient that bypasses the norm, null: none; may alias dx.
void rms_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                       const Tensor& inv_rms, const Tensor& dy, const Tensor* dresidual,
                       const Tensor* dx, const Tensor* dweight);

/// y = (x − mean) / sqrt(var + eps) · weight + bias, var biased, computed in two passes.
void layer_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, float eps, const Tensor& y, const Tensor* mean,
                        const Tensor* inv_std);

/// dx = dresidual + inv_std · (g − mean(g) − x̂ · mean(g · x̂)),  g = dy·weight,
/// x̂ = (x − mean) · inv_std;  dweight += Σ dy·x̂;  dbias += Σ dy. Null outputs are not wanted.
void layer_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dy,
                         const Tensor* dresidual, const Tensor* dx, const Tensor* dweight,
                         const Tensor* dbias);

}  // namespace lynceus::kernels
