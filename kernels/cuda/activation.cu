// SiLU, SwiGLU, GELU.
#include "kernels/device/activation.h"

#include "kernels/cuda/map.h"

namespace lynceus::kernels::cuda {
namespace {

/// σ(x) and 1 − σ(x), both without cancellation.
struct Sigmoid {
  float here, other;
};
LYNCEUS_DEVICE Sigmoid sigmoid(float x) {
  const float t = expf(-fabsf(x));
  const float large = 1.0f / (1.0f + t);
  return x >= 0 ? Sigmoid{large, t * large} : Sigmoid{t * large, large};
}

/// silu'(x) = σ(x) · (1 + x · (1 − σ(x)))
LYNCEUS_DEVICE float silu_slope(float x) {
  const Sigmoid s = sigmoid(x);
  return s.here * (1.0f + x * s.other);
}

/// Φ(x); erfc is accurate where Φ is small.
LYNCEUS_DEVICE float normal_cdf(float x) { return 0.5f * erfcf(x * -0.70710678118654752f); }

struct SwigluForward {
  LYNCEUS_DEVICE void operator()(const float (&in)[2], float (&out)[1]) const {
    out[0] = in[0] * sigmoid(in[0]).here * in[1];
  }
};

struct SwigluBackward {
  LYNCEUS_DEVICE void operator()(const float (&in)[3], float (&out)[2]) const {
    const auto [gate, up, dy] = in;
    out[0] = dy * up * silu_slope(gate);
    out[1] = dy * gate * sigmoid(gate).here;
  }
};

struct SiluForward {
  LYNCEUS_DEVICE void operator()(const float (&in)[1], float (&out)[1]) const {
    out[0] = in[0] * sigmoid(in[0]).here;
  }
};

struct SiluBackward {
  LYNCEUS_DEVICE void operator()(const float (&in)[2], float (&out)[1]) const {
    out[0] = in[1] * silu_slope(in[0]);
  }
};

struct GeluForward {
  LYNCEUS_DEVICE void operator()(const float (&in)[1], float (&out)[1]) const {
    out[0] = in[0] * normal_cdf(in[0]);
  }
};

struct GeluBackward {
  LYNCEUS_DEVICE void operator()(const float (&in)[2], float (&out)[1]) const {
    constexpr float kInverseRootTwoPi = 0.39894228040143268f;
    const float x = in[0];
    const float density = kInverseRootTwoPi * expf(-0.5f * x * x);
    out[0] = in[1] * (normal_cdf(x) + x * density);
  }
};

void swiglu_forward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& y) {
  map<2, 1>(stream, {&gate, &up}, {&y}, SwigluForward());
}

void swiglu_backward(const Stream& stream, const Tensor& gate, const Tensor& up, const Tensor& dy,
                     const Tensor& dgate, const Tensor& dup) {
  map<3, 2>(stream, {&gate, &up, &dy}, {&dgate, &dup}, SwigluBackward());
}

void silu_forward(const Stream& stream, const Tensor& x, const Tensor& y) {
  map<1, 1>(stream, {&x}, {&y}, SiluForward());
}

void silu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  map<2, 1>(stream, {&x, &dy}, {&dx}, SiluBackward());
}

void gelu_forward(const Stream& stream, const Tensor& x, const Tensor& y) {
  map<1, 1>(stream, {&x}, {&y}, GeluForward());
}

void gelu_backward(const Stream& stream, const Tensor& x, const Tensor& dy, const Tensor& dx) {
  map<2, 1>(stream, {&x, &dy}, {&dx}, GeluBackward());
}

}  // namespace

const ActivationKernels kActivation = {.swiglu_forward = swiglu_forward,
                                       .swiglu_backward = swiglu_backward,
                                       .silu_forward = silu_forward,
                                       .silu_backward = silu_backward,
                                       .gelu_forward = gelu_forward,
                                       .gelu_backward = gelu_backward};

}  // namespace lynceus::kernels::cuda
