#include "kernels/rope.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/rope.h"

namespace lynceus::kernels {
namespace {

void rotate(const char* kernel, const Stream& stream, const Tensor& cos, const Tensor& sin,
            float sign, const Tensor& x, const char* name) {
  check_matrix(kernel, "cos", cos, x.rows(), cos.cols());
  check_matrix(kernel, "sin", sin, x.rows(), cos.cols());
  check_activation(kernel, name, x, x.rows(), x.cols(), x.dtype());
  if (cos.cols() == 0 || x.cols() % (2 * cos.cols()) != 0)
    throw InternalError("{}: {} is {}, expected a multiple of head_dim = {} columns", kernel, name,
                        description(x), 2 * cos.cols());
  if (stream.device().is_cpu())
    cpu::kRope.rope_rotate(stream, cos, sin, sign, cpu::InOut(stream, x));
  else
    cuda::kRope.rope_rotate(stream, cos, sin, sign, x);
}

}  // namespace

void rope_table(const Stream& stream, const Tensor& positions, const Tensor& frequencies,
                const Tensor& cos, const Tensor& sin) {
  constexpr const char* kKernel = "rope_table";
  const int64_t half = frequencies.size();
  LYNCEUS_CHECK(half > 0, "rope_table: {} frequencies", half);
  check_vector(kKernel, "frequencies", frequencies, half, DType::kF64);
  check_vector(kKernel, "positions", positions, positions.size(), DType::kI32);
  check_matrix(kKernel, "cos", cos, positions.size(), half);
  check_matrix(kKernel, "sin", sin, positions.size(), half);
  if (stream.device().is_cpu())
    cpu::kRope.rope_table(stream, positions, frequencies, cos, sin);
  else
    cuda::kRope.rope_table(stream, positions, frequencies, cos, sin);
}

void rope_forward(const Stream& stream, const Tensor& cos, const Tensor& sin, const Tensor& x) {
  rotate("rope_forward", stream, cos, sin, /*sign=*/1.0f, x, "x");
}

void rope_backward(const Stream& stream, const Tensor& cos, const Tensor& sin, const Tensor& dx) {
  rotate("rope_backward", stream, cos, sin, /*sign=*/-1.0f, dx, "dx");
}

}  // namespace lynceus::kernels
