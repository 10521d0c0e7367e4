// The adapter's epilogue as a scalar loop over any number type: the oracle of
// kernels/elementwise.h, and with std::complex<double> of its gradients.
#pragma once

#include <cstdint>

namespace lynceus::kernels::reference {

/// y = residual + scaling · (up + bias).  residual, up, y [rows, width], bias [width].
template <typename T>
void adapter_epilogue(int64_t rows, int64_t width, const T* residual, const T* up, const T* bias,
                      T scaling, T* y) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < width; ++i)
      y[row * width + i] = residual[row * width + i] + scaling * (up[row * width + i] + bias[i]);
}

}  // namespace lynceus::kernels::reference
