// The CUDA side of kernels/norm.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void rms_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor* inv_rms);
void rms_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                       const Tensor& inv_rms, const Tensor& dy, const Tensor* dresidual,
                       const Tensor* dx, const Tensor* dweight);
void layer_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, float eps, const Tensor& y, const Tensor* mean,
                        const Tensor* inv_std);
void layer_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dy,
                         const Tensor* dresidual, const Tensor* dx, const Tensor* dweight,
                         const Tensor* dbias);

}  // namespace lynceus::kernels::cuda
