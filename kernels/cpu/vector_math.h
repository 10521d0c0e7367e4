// exp, sigmoid and GELU as branch-free inline functions: a loop over them compiles to AVX2 code,
// whereas the library's functions would be called for each element.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace lynceus::kernels::cpu {

/// e^x, relative error below 1.2e-7 (1 ulp); 0 from −104 down, inf above 88.73, NaN stays NaN.
///
/// x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r is a minimax polynomial; 2^n is applied in two halves, so
/// that results below the normal range round once instead of vanishing.
inline float vector_exp(float x) {
  constexpr float kLog2E = 0x1.715476p0f;
  constexpr float kLn2High = 0x1.62e400p-1f;  // few bits: n · kLn2High is exact
  constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  constexpr float kRound = 0x1.8p23f;  // adding it leaves n in the low bits
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float q = 0x1.6a2434p-10f;
  q = q * r + 0x1.1239e4p-7f;
  q = q * r + 0x1.5558f2p-5f;
  q = q * r + 0x1.555492p-3f;
  q = q * r + 0x1.fffffcp-2f;
  const float power = 1.0f + (r + r * r * q);
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  const int32_t half = exponent >> 1;
  const float first = std::bit_cast<float>((half + 127) << 23);
  const float second = std::bit_cast<float>((exponent - half + 127) << 23);
  return power * first * second;
}

/// 1 / (1 + e^−x).
inline float vector_sigmoid(float x) { return 1.0f / (1.0f + vector_exp(-x)); }

namespace internal {

/// e^(−a²/2) for 0 ≤ a ≤ 15; corrected for the rounding error of a².
inline float exp_minus_half_square(float a) {
  const float square = a * a;
  const float lost = std::fma(a, a, -square);
  return vector_exp(-0.5f * square) * (1.0f - 0.5f * lost);
}

/// Φ(−a) / e^(−a²/2) for 0 ≤ a ≤ 15: a minimax polynomial in t = 1 / (1 + 0.3·a), relative error
/// 6e-8 (the form of Abramowitz and Stegun 7.1.26, with fitted coefficients).
inline float normal_tail_ratio(float a) {
  const float t = 1.0f / (1.0f + 0.3f * a);
  float p = 0.038334235548973083f;
  p = p * t - 0.16895183920860291f;
  p = p * t + 0.22821709513664246f;
  p = p * t - 0.07599940150976181f;
  p = p * t + 0.14218494296073914f;
  p = p * t + 0.09483301639556885f;
  p = p * t + 0.12188205122947693f;
  p = p * t + 0.11949306726455688f;
  return p * t + 6.8528970703482628e-06f;
}

inline float clamped_magnitude(float x) {
  const float a = std::fabs(x);
  return a > 15.0f ? 15.0f : a;
}

}  // namespace internal

/// x · Φ(x), Φ(x) = (1 + erf(x / √2)) / 2: error below 1e-7 · max(1, |x|), and below 5e-7 relative
/// for negative x too, where 1 + erf would cancel.
inline float vector_gelu(float x) {
  const float a = internal::clamped_magnitude(x);
  const float tail = internal::exp_minus_half_square(a) * internal::normal_tail_ratio(a);
  const float small = x * tail;
  return x < 0.0f ? small : x - small;
}

/// d/dx (x · Φ(x)) = Φ(x) + x · φ(x), absolute error about 2e-7.
inline float vector_gelu_derivative(float x) {
  constexpr float kInverseSqrt2Pi = 0.39894228040143268f;
  const float a = internal::clamped_magnitude(x);
  const float exponential = internal::exp_minus_half_square(a);
  const float tail = exponential * internal::normal_tail_ratio(a);
  return (x < 0.0f ? tail : 1.0f - tail) + x * kInverseSqrt2Pi * exponential;
}

}  // namespace lynceus::kernels::cpu
