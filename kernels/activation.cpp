#include "kernels/activation.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/activation.h"

namespace lynceus::kernels {
namespace {

using cpu::In;
using cpu::Out;

/// All have the size and the type of the first.
void check_same(const char* kernel,
                std::initializer_list<std::pair<const char*, const Tensor*>> tensors) {
  const Tensor& first = *tensors.begin()->second;
  for (const auto& [name, tensor] : tensors)
    check_activations(kernel, name, *tensor, first.size(), first.dtype());
}

}  // namespace

void swiglu_forward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& y) {
  check_same("swiglu_forward", {{"gate", &gate}, {"up", &up}, {"y", &y}});
  if (stream.device().is_cpu())
    cpu::kActivation.swiglu_forward(stream, In(stream, gate), In(stream, up), Out(stream, y));
  else
    cuda::kActivation.swiglu_forward(stream, gate, up, y);
}

void swiglu_backward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& dy,
                     const Tensor& dgate, const Tensor& dup) {
  check_same("swiglu_backward",
             {{"gate", &gate}, {"up", &up}, {"dy", &dy}, {"dgate", &dgate}, {"dup", &dup}});
  if (stream.device().is_cpu())
    cpu::kActivation.swiglu_backward(stream, In(stream, gate), In(stream, up), In(stream, dy),
                                     Out(stream, dgate), Out(stream, dup));
  else
    cuda::kActivation.swiglu_backward(stream, gate, up, dy, dgate, dup);
}

void silu_forward(const Stream& stream, const Tensor& x, const Tensor& y) {
  check_same("silu_forward", {{"x", &x}, {"y", &y}});
  if (stream.device().is_cpu())
    cpu::kActivation.silu_forward(stream, In(stream, x), Out(stream, y));
  else
    cuda::kActivation.silu_forward(stream, x, y);
}

void silu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  check_same("silu_backward", {{"x", &x}, {"dy", &dy}, {"dx", &dx}});
  if (stream.device().is_cpu())
    cpu::kActivation.silu_backward(stream, In(stream, x), In(stream, dy), Out(stream, dx));
  else
    cuda::kActivation.silu_backward(stream, x, dy, dx);
}

void gelu_forward(const Stream& stream, const Tensor& x, const Tensor& y) {
  check_same("gelu_forward", {{"x", &x}, {"y", &y}});
  if (stream.device().is_cpu())
    cpu::kActivation.gelu_forward(stream, In(stream, x), Out(stream, y));
  else
    cuda::kActivation.gelu_forward(stream, x, y);
}

void gelu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  check_same("gelu_backward", {{"x", &x}, {"dy", &dy}, {"dx", &dx}});
  if (stream.device().is_cpu())
    cpu::kActivation.gelu_backward(stream, In(stream, x), In(stream, dy), Out(stream, dx));
  else
    cuda::kActivation.gelu_backward(stream, x, dy, dx);
}

}  // namespace lynceus::kernels
