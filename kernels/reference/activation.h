// SiLU, SwiGLU and exact GELU of one number of any type: the oracle of kernels/activation.h, and
// with std::complex<double> of its gradients.
#pragma once

#include <cmath>
#include <numbers>

namespace lynceus::kernels::reference {

/// x / (1 + e^−x).
template <typename T>
T silu(T x) {
  using std::exp;
  return x / (1.0 + exp(-x));
}

/// silu(gate) · up.
template <typename T>
T swiglu(T gate, T up) {
  return silu(gate) * up;
}

/// erf by the series 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms have one sign. It is
/// accurate for complex arguments near the real axis, for which the standard library has no erf.
template <typename T>
T erf_series(T x) {
  using std::abs;
  using std::exp;
  T term = x;
  T sum = x;
  for (int n = 1; abs(term) > 1e-18 * abs(sum); ++n) {
    term *= 2.0 * x * x / (2.0 * n + 1.0);
    sum += term;
  }
  return 2.0 * std::numbers::inv_sqrtpi * exp(-x * x) * sum;
}

/// x · (1 + erf(x / √2)) / 2.
template <typename T>
T gelu(T x) {
  return 0.5 * x * (1.0 + erf_series(x / std::numbers::sqrt2));
}

}  // namespace lynceus::kernels::reference
