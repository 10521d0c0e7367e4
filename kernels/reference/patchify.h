// Patch rows and vision tokens as scalar loops, written from the convolution's point of view: the
// oracle of kernels/patchify.h.
#pragma once

#include <cstdint>

namespace lynceus::kernels::reference {

/// The input of a convolution of kernel size and stride p at each output (row, column).
template <typename T>
void patchify(int64_t images, int64_t channels, int64_t side, int64_t p, const T* pixels,
              T* patches) {
  const int64_t n = side / p;
  for (int64_t i = 0; i < images; ++i)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = 0; y < side; ++y)
        for (int64_t x = 0; x < side; ++x) {
          const int64_t row = (i * n + y / p) * n + x / p;
          const int64_t column = (c * p + y % p) * p + x % p;
          patches[row * channels * p * p + column] =
              pixels[((i * channels + c) * side + y) * side + x];
        }
}

/// concat(cls, patches) + position, image by image; n patches per image.
template <typename T>
void assemble_vision_tokens(int64_t images, int64_t n, int64_t width, const T* patches,
                            const T* cls, const T* position, T* y) {
  for (int64_t i = 0; i < images; ++i)
    for (int64_t c = 0; c < width; ++c) {
      y[i * (n + 1) * width + c] = cls[c] + position[c];
      for (int64_t j = 0; j < n; ++j)
        y[(i * (n + 1) + 1 + j) * width + c] =
            patches[(i * n + j) * width + c] + position[(1 + j) * width + c];
    }
}

}  // namespace lynceus::kernels::reference
