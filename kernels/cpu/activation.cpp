// One pass over memory per function, vectorized through vector_math.h. Every loop reads an element
// before it writes it, so outputs may alias inputs.
#include "kernels/device/activation.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace lynceus::kernels::cpu {
namespace {

/// y[i] = f(x[i]).
template <typename Function>
void map(const Tensor& x, const Tensor& y, Function f) {
  const float* const in = x.data<float>();
  float* const out = y.data<float>();
  for_each_block(x.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) out[i] = f(in[i]);
  });
}

/// z[i] = f(x[i], y[i]).
template <typename Function>
void map(const Tensor& x, const Tensor& y, const Tensor& z, Function f) {
  const float* const first = x.data<float>();
  const float* const second = y.data<float>();
  float* const out = z.data<float>();
  for_each_block(x.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) out[i] = f(first[i], second[i]);
  });
}

struct SiluSlope {
  float sigmoid;
  float derivative;
};

/// silu'(x) = σ + x·σ·(1 − σ) for σ = sigmoid(x), with 1 − σ as σ·e^−x, which does not cancel where
/// σ is near 1. Below −80 both are practically 0, and the clamp keeps e^−x from overflowing.
inline SiluSlope silu_slope(float x) {
  const float exponential = vector_exp(x < -80.0f ? 80.0f : -x);
  const float sigmoid = 1.0f / (1.0f + exponential);
  return {sigmoid, sigmoid + x * (exponential * sigmoid) * sigmoid};
}

void swiglu_forward(const Stream& /*stream*/, const Tensor& gate, const Tensor& up,
                    const Tensor& y) {
  map(gate, up, y, [](float g, float u) { return g * vector_sigmoid(g) * u; });
}

void swiglu_backward(const Stream& /*stream*/, const Tensor& gate, const Tensor& up,
                     const Tensor& dy, const Tensor& dgate, const Tensor& dup) {
  const float* const gate_in = gate.data<float>();
  const float* const up_in = up.data<float>();
  const float* const gradient = dy.data<float>();
  float* const gate_out = dgate.data<float>();
  float* const up_out = dup.data<float>();
  for_each_block(gate.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      const float g = gate_in[i];
      const float u = up_in[i];
      const float d = gradient[i];
      const SiluSlope slope = silu_slope(g);
      gate_out[i] = d * u * slope.derivative;
      up_out[i] = d * g * slope.sigmoid;
    }
  });
}

void silu_forward(const Stream& /*stream*/, const Tensor& x, const Tensor& y) {
  map(x, y, [](float v) { return v * vector_sigmoid(v); });
}

void silu_backward(const Stream& /*stream*/, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  map(x, dy, dx, [](float v, float d) { return d * silu_slope(v).derivative; });
}

void gelu_forward(const Stream& /*stream*/, const Tensor& x, const Tensor& y) {
  map(x, y, [](float v) { return vector_gelu(v); });
}

void gelu_backward(const Stream& /*stream*/, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  map(x, dy, dx, [](float v, float d) { return d * vector_gelu_derivative(v); });
}

}  // namespace

const ActivationKernels kActivation = {.swiglu_forward = swiglu_forward,
                                       .swiglu_backward = swiglu_backward,
                                       .silu_forward = silu_forward,
                                       .silu_backward = silu_backward,
                                       .gelu_forward = gelu_forward,
                                       .gelu_backward = gelu_backward};

}  // namespace lynceus::kernels::cpu
