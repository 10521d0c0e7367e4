// RMSNorm and LayerNorm as scalar loops over any number type: the oracle of kernels/norm.h, and
// with std::complex<double> of its gradients.
#pragma once

#include <cmath>
#include <cstdint>

namespace lynceus::kernels::reference {

/// y = x / sqrt(mean(x²) + eps) · weight.  x, y [rows, width], weight [width].
template <typename T>
void rms_norm(int64_t rows, int64_t width, const T* x, const T* weight, double eps, T* y) {
  using std::sqrt;
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    T squares = 0;
    for (int64_t i = 0; i < width; ++i) squares += x[i] * x[i];
    const T rms = sqrt(squares / static_cast<double>(width) + eps);
    for (int64_t i = 0; i < width; ++i) y[i] = x[i] / rms * weight[i];
  }
}

/// y = (x − mean) / sqrt(var + eps) · weight + bias.  x, y [rows, width], weight, bias [width].
template <typename T>
void layer_norm(int64_t rows, int64_t width, const T* x, const T* weight, const T* bias, double eps,
                T* y) {
  using std::sqrt;
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    T mean = 0;
    for (int64_t i = 0; i < width; ++i) mean += x[i] / static_cast<double>(width);
    T variance = 0;
    for (int64_t i = 0; i < width; ++i)
      variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(width);
    const T deviation = sqrt(variance + eps);
    for (int64_t i = 0; i < width; ++i) y[i] = (x[i] - mean) / deviation * weight[i] + bias[i];
  }
}

}  // namespace lynceus::kernels::reference
