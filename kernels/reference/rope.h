// Rotary embedding as a scalar loop over any number type, written with rotate_half as in Hugging
// Face: y = x · cos + rotate_half(x) · sin, rotate_half = (−second half, first half). The oracle of
// kernels/rope.h.
#pragma once

#include <cmath>
#include <cstdint>

namespace lynceus::kernels::reference {

/// x, y [tokens, heads · head_dim], positions [tokens].
template <typename T>
void rope(int64_t tokens, int64_t heads, int64_t head_dim, double theta, const int32_t* positions,
          const T* x, T* y) {
  const int64_t half = head_dim / 2;
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < heads; ++h, x += head_dim, y += head_dim)
      for (int64_t i = 0; i < head_dim; ++i) {
        const double frequency = 1.0 / std::pow(theta, 2.0 * static_cast<double>(i % half) /
                                                           static_cast<double>(head_dim));
        const T rotated_half = i < half ? -x[i + half] : x[i - half];
        y[i] = x[i] * std::cos(positions[t] * frequency) +
               rotated_half * std::sin(positions[t] * frequency);
      }
}

}  // namespace lynceus::kernels::reference
