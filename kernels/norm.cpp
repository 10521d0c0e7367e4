#include "kernels/norm.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/norm.h"

namespace lynceus::kernels {

using cpu::In;
using cpu::Out;

void rms_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor* inv_rms) {
  constexpr const char* kKernel = "rms_norm_forward";
  check_activation(kKernel, "x", x, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "weight", weight, x.cols());
  check_activation(kKernel, "y", y, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "inv_rms", inv_rms, x.rows());
  if (stream.device().is_cpu())
    cpu::kNorm.rms_norm_forward(stream, In(stream, x), weight, eps, Out(stream, y), inv_rms);
  else
    cuda::kNorm.rms_norm_forward(stream, x, weight, eps, y, inv_rms);
}

void rms_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                       const Tensor& inv_rms, const Tensor& dy, const Tensor* dresidual,
                       const Tensor* dx, const Tensor* dweight) {
  constexpr const char* kKernel = "rms_norm_backward";
  check_activation(kKernel, "x", x, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "weight", weight, x.cols());
  check_vector(kKernel, "inv_rms", inv_rms, x.rows());
  check_activation(kKernel, "dy", dy, x.rows(), x.cols(), x.dtype());
  check_activation(kKernel, "dresidual", dresidual, x.rows(), x.cols(), x.dtype());
  check_activation(kKernel, "dx", dx, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "dweight", dweight, x.cols());
  if (stream.device().is_cpu())
    cpu::kNorm.rms_norm_backward(stream, In(stream, x), weight, inv_rms, In(stream, dy),
                                 In(stream, dresidual), Out(stream, dx), dweight);
  else
    cuda::kNorm.rms_norm_backward(stream, x, weight, inv_rms, dy, dresidual, dx, dweight);
}

void layer_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, float eps, const Tensor& y, const Tensor* mean,
                        const Tensor* inv_std) {
  constexpr const char* kKernel = "layer_norm_forward";
  check_activation(kKernel, "x", x, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "weight", weight, x.cols());
  check_vector(kKernel, "bias", bias, x.cols());
  check_activation(kKernel, "y", y, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "mean", mean, x.rows());
  check_vector(kKernel, "inv_std", inv_std, x.rows());
  if (stream.device().is_cpu())
    cpu::kNorm.layer_norm_forward(stream, In(stream, x), weight, bias, eps, Out(stream, y), mean,
                                  inv_std);
  else
    cuda::kNorm.layer_norm_forward(stream, x, weight, bias, eps, y, mean, inv_std);
}

void layer_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dy,
                         const Tensor* dresidual, const Tensor* dx, const Tensor* dweight,
                         const Tensor* dbias) {
  constexpr const char* kKernel = "layer_norm_backward";
  check_activation(kKernel, "x", x, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "weight", weight, x.cols());
  check_vector(kKernel, "mean", mean, x.rows());
  check_vector(kKernel, "inv_std", inv_std, x.rows());
  check_activation(kKernel, "dy", dy, x.rows(), x.cols(), x.dtype());
  check_activation(kKernel, "dresidual", dresidual, x.rows(), x.cols(), x.dtype());
  check_activation(kKernel, "dx", dx, x.rows(), x.cols(), x.dtype());
  check_vector(kKernel, "dweight", dweight, x.cols());
  check_vector(kKernel, "dbias", dbias, x.cols());
  if (stream.device().is_cpu())
    cpu::kNorm.layer_norm_backward(stream, In(stream, x), weight, mean, inv_std, In(stream, dy),
                                   In(stream, dresidual), Out(stream, dx), dweight, dbias);
  else
    cuda::kNorm.layer_norm_backward(stream, x, weight, mean, inv_std, dy, dresidual, dx, dweight,
                                    dbias);
}

}  // namespace lynceus::kernels
