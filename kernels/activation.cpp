// Checks of the activation kernels, then the device's implementation.
#include "kernels/activation.h"

#include "kernels/checks.h"
#include "kernels/cpu/activation.h"

namespace lynceus::kernels {

void swiglu_forward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& y) {
  constexpr const char* kKernel = "swiglu_forward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "gate", gate, gate.size());
  check_vector(kKernel, "up", up, gate.size());
  check_vector(kKernel, "y", y, gate.size());
  cpu::swiglu_forward(gate, up, y);
}

void swiglu_backward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& dy,
                     const Tensor& dgate, const Tensor& dup) {
  constexpr const char* kKernel = "swiglu_backward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "gate", gate, gate.size());
  check_vector(kKernel, "up", up, gate.size());
  check_vector(kKernel, "dy", dy, gate.size());
  check_vector(kKernel, "dgate", dgate, gate.size());
  check_vector(kKernel, "dup", dup, gate.size());
  cpu::swiglu_backward(gate, up, dy, dgate, dup);
}

void silu_forward(const Stream& stream, const Tensor& x, const Tensor& y) {
  constexpr const char* kKernel = "silu_forward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "x", x, x.size());
  check_vector(kKernel, "y", y, x.size());
  cpu::silu_forward(x, y);
}

void silu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  constexpr const char* kKernel = "silu_backward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "x", x, x.size());
  check_vector(kKernel, "dy", dy, x.size());
  check_vector(kKernel, "dx", dx, x.size());
  cpu::silu_backward(x, dy, dx);
}

void gelu_forward(const Stream& stream, const Tensor& x, const Tensor& y) {
  constexpr const char* kKernel = "gelu_forward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "x", x, x.size());
  check_vector(kKernel, "y", y, x.size());
  cpu::gelu_forward(x, y);
}

void gelu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  constexpr const char* kKernel = "gelu_backward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "x", x, x.size());
  check_vector(kKernel, "dy", dy, x.size());
  check_vector(kKernel, "dx", dx, x.size());
  cpu::gelu_backward(x, dy, dx);
}

}  // namespace lynceus::kernels
