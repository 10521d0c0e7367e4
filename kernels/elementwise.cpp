#include "kernels/elementwise.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/elementwise.h"

namespace lynceus::kernels {

using cpu::In;
using cpu::InOut;
using cpu::Out;

void add(const Stream& stream, const Tensor& a, const Tensor& b, const Tensor& y) {
  check_activations("add", "a", a, a.size(), a.dtype());
  check_activations("add", "b", b, a.size(), a.dtype());
  check_activations("add", "y", y, a.size(), a.dtype());
  if (stream.device().is_cpu())
    cpu::kElementwise.add(stream, In(stream, a), In(stream, b), Out(stream, y));
  else
    cuda::kElementwise.add(stream, a, b, y);
}

void add_bias(const Stream& stream, const Tensor& bias, const Tensor& y) {
  check_activation("add_bias", "y", y, y.rows(), y.cols(), y.dtype());
  check_vector("add_bias", "bias", bias, y.cols());
  if (stream.device().is_cpu())
    cpu::kElementwise.add_bias(stream, bias, InOut(stream, y));
  else
    cuda::kElementwise.add_bias(stream, bias, y);
}

void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums) {
  check_activation("column_sum", "x", x, x.rows(), x.cols(), x.dtype());
  check_vector("column_sum", "sums", sums, x.cols());
  if (stream.device().is_cpu())
    cpu::kElementwise.column_sum(stream, In(stream, x), sums);
  else
    cuda::kElementwise.column_sum(stream, x, sums);
}

void adapter_epilogue_forward(const Stream& stream, const Tensor& residual, const Tensor& up,
                              const Tensor& bias, const Tensor& scaling, const Tensor& y) {
  constexpr const char* kKernel = "adapter_epilogue_forward";
  check_activation(kKernel, "up", up, up.rows(), up.cols(), up.dtype());
  check_activation(kKernel, "residual", residual, up.rows(), up.cols(), up.dtype());
  check_vector(kKernel, "bias", bias, up.cols());
  check_vector(kKernel, "scaling", scaling, 1);
  check_activation(kKernel, "y", y, up.rows(), up.cols(), up.dtype());
  if (stream.device().is_cpu())
    cpu::kElementwise.adapter_epilogue_forward(stream, In(stream, residual), In(stream, up), bias,
                                               scaling, Out(stream, y));
  else
    cuda::kElementwise.adapter_epilogue_forward(stream, residual, up, bias, scaling, y);
}

void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias) {
  constexpr const char* kKernel = "adapter_epilogue_backward";
  check_activation(kKernel, "up", up, up.rows(), up.cols(), up.dtype());
  check_vector(kKernel, "bias", bias, up.cols());
  check_vector(kKernel, "scaling", scaling, 1);
  check_activation(kKernel, "dy", dy, up.rows(), up.cols(), up.dtype());
  check_activation(kKernel, "dup", dup, up.rows(), up.cols(), up.dtype());
  check_vector(kKernel, "dscaling", dscaling, 1);
  check_vector(kKernel, "dbias", dbias, up.cols());
  if (stream.device().is_cpu())
    cpu::kElementwise.adapter_epilogue_backward(stream, In(stream, up), bias, scaling,
                                                In(stream, dy), Out(stream, dup), dscaling, dbias);
  else
    cuda::kElementwise.adapter_epilogue_backward(stream, up, bias, scaling, dy, dup, dscaling,
                                                 dbias);
}

std::vector<double> sums_of_squares(const Stream& stream, std::span<const Tensor> tensors) {
  for (const Tensor& x : tensors) check_vector("sums_of_squares", "x", x, x.size());
  if (stream.device().is_cpu()) return cpu::kElementwise.sums_of_squares(stream, tensors);
  return cuda::kElementwise.sums_of_squares(stream, tensors);
}

}  // namespace lynceus::kernels
