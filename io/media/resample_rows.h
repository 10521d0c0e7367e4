// The arithmetic of resize_bicubic(): resamples rows of RGB bytes along x, then the columns of the
// result along y, in fixed point. The integer sums are exact, so every implementation gives the
// same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lynceus::io::internal {

/// Fractional bits of a weight: of 32 bits, 8 are for the pixel and 2 for overshoot.
constexpr int kWeightBits = 32 - 8 - 2;

/// The weights of adjacent output pixels along one axis.
struct Taps {
  std::vector<int> begin;        // [count] first input pixel
  std::vector<int> length;       // [count] number of input pixels
  std::vector<int32_t> weights;  // [count, stride] fixed point, zero after `length`
  int stride = 0;

  int count() const { return static_cast<int>(begin.size()); }
  const int32_t* of(int i) const { return weights.data() + static_cast<size_t>(i) * stride; }
};

/// Rows of RGB pixels, `stride` bytes apart; bytes from `end` on must not be read.
struct RgbRows {
  const uint8_t* first = nullptr;
  size_t stride = 0;
  int width = 0;  ///< pixels
  int height = 0;
  const uint8_t* end = nullptr;
};

/// Bytes of a padded row of `width` pixels, the output of resample_across().
size_t padded_row_bytes(int width);

/// Output pixel i of every row = sum over k of weight[i][k] * pixel[begin[i] + k], rounded to 8
/// bits. `target`: [rows.height, padded_row_bytes(taps.count())].
void resample_across(const RgbRows& rows, const Taps& taps, uint8_t* target);

/// Row i of the result = sum over k of weight[i][k] * row[begin[i] - first_row + k], rounded to 8
/// bits. `rows`: padded rows of `width` pixels; `target`: [taps.count(), width, 3].
void resample_down(const uint8_t* rows, int width, const Taps& taps, int first_row,
                   uint8_t* target);

}  // namespace lynceus::io::internal
