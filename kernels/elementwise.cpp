// Checks of the element-wise kernels, then the device's implementation.
#include "kernels/elementwise.h"

#include "kernels/checks.h"
#include "kernels/cpu/elementwise.h"

namespace lynceus::kernels {

void add(const Stream& stream, const Tensor& a, const Tensor& b, const Tensor& y) {
  check_on_cpu("add", stream);
  check_vector("add", "a", a, a.size());
  check_vector("add", "b", b, a.size());
  check_vector("add", "y", y, a.size());
  cpu::add(a, b, y);
}

void add_bias(const Stream& stream, const Tensor& bias, const Tensor& y) {
  check_on_cpu("add_bias", stream);
  check_matrix("add_bias", "y", y, y.rows(), y.cols());
  check_vector("add_bias", "bias", bias, y.cols());
  cpu::add_bias(bias, y);
}

void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums) {
  check_on_cpu("column_sum", stream);
  check_matrix("column_sum", "x", x, x.rows(), x.cols());
  check_vector("column_sum", "sums", sums, x.cols());
  cpu::column_sum(stream, x, sums);
}

void adapter_epilogue_forward(const Stream& stream, const Tensor& residual, const Tensor& up,
                              const Tensor& bias, const Tensor& scaling, const Tensor& y) {
  constexpr const char* kKernel = "adapter_epilogue_forward";
  check_on_cpu(kKernel, stream);
  check_matrix(kKernel, "up", up, up.rows(), up.cols());
  check_matrix(kKernel, "residual", residual, up.rows(), up.cols());
  check_vector(kKernel, "bias", bias, up.cols());
  check_vector(kKernel, "scaling", scaling, 1);
  check_matrix(kKernel, "y", y, up.rows(), up.cols());
  cpu::adapter_epilogue_forward(residual, up, bias, scaling, y);
}

void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias) {
  constexpr const char* kKernel = "adapter_epilogue_backward";
  check_on_cpu(kKernel, stream);
  check_matrix(kKernel, "up", up, up.rows(), up.cols());
  check_vector(kKernel, "bias", bias, up.cols());
  check_vector(kKernel, "scaling", scaling, 1);
  check_matrix(kKernel, "dy", dy, up.rows(), up.cols());
  check_matrix(kKernel, "dup", dup, up.rows(), up.cols());
  check_vector(kKernel, "dscaling", dscaling, 1);
  check_vector(kKernel, "dbias", dbias, up.cols());
  cpu::adapter_epilogue_backward(stream, up, bias, scaling, dy, dup, dscaling, dbias);
}

double sum_of_squares(const Stream& stream, const Tensor& x) {
  check_on_cpu("sum_of_squares", stream);
  check_vector("sum_of_squares", "x", x, x.size());
  return cpu::sum_of_squares(x);
}

}  // namespace lynceus::kernels
