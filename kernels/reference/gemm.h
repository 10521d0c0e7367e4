// Linear maps as scalar loops over any number type: the oracle of kernels/gemm.h, and with
// std::complex<double> of its gradients.
#pragma once

#include <cstdint>

namespace lynceus::kernels::reference {

/// y = x·wᵀ + bias.  x [rows, in], w [out, in], bias [out] or null, y [rows, out].
template <typename T>
void linear(int64_t rows, int64_t out, int64_t in, const T* x, const T* w, const T* bias, T* y) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      T sum = bias == nullptr ? T(0) : bias[o];
      for (int64_t i = 0; i < in; ++i) sum += x[r * in + i] * w[o * in + i];
      y[r * out + o] = sum;
    }
}

}  // namespace lynceus::kernels::reference
