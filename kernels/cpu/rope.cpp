#include "kernels/device/rope.h"

#include <cmath>

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {
namespace {

void rope_table(const Stream& /*stream*/, const Tensor& positions, const Tensor& frequencies,
                const Tensor& cos, const Tensor& sin) {
  const int64_t half = cos.cols();
  const double* const frequency = frequencies.data<double>();
  const int32_t* const position = positions.data<int32_t>();
  float* const cos_out = cos.data<float>();
  float* const sin_out = sin.data<float>();
  constexpr int64_t kCost = 32;  // cost of a sine and a cosine in f64 in multiplications
  for_each_row(positions.size(), half * kCost, [=](int64_t row) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle = position[row] * frequency[i];
      cos_out[row * half + i] = static_cast<float>(std::cos(angle));
      sin_out[row * half + i] = static_cast<float>(std::sin(angle));
    }
  });
}

void rope_rotate(const Stream& /*stream*/, const Tensor& cos, const Tensor& sin, float sign,
                 const Tensor& x) {
  const int64_t half = cos.cols();
  const int64_t width = x.cols();
  const float* const cos_in = cos.data<float>();
  const float* const sin_in = sin.data<float>();
  float* const data = x.data<float>();
  for_each_row(x.rows(), width, [=](int64_t row) {
    const float* const c = cos_in + row * half;
    const float* const s = sin_in + row * half;
    for (int64_t head = 0; head < width; head += 2 * half) {
      float* const low = data + row * width + head;
      float* const high = low + half;
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        const float a = low[i];
        const float b = high[i];
        const float sine = sign * s[i];
        low[i] = a * c[i] - b * sine;
        high[i] = b * c[i] + a * sine;
      }
    }
  });
}

}  // namespace

const RopeKernels kRope = {.rope_table = rope_table, .rope_rotate = rope_rotate};

}  // namespace lynceus::kernels::cpu
