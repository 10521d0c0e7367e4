// Pillow-exact bicubic resampling, two passes in fixed point. See resize.h.
#include "io/resize.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace lynceus::io {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;  // 8 bits of pixel, 2 of head room for overshoot
constexpr int kHalf = 1 << (kPrecisionBits - 1);
constexpr double kSupport = 2.0;

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// The weights of the output pixels [first, first + count) of one axis.
struct Taps {
  std::vector<int> begin;        // [count] first input pixel
  std::vector<int> length;       // [count] how many input pixels
  std::vector<int32_t> weights;  // [count, stride] fixed point
  int stride = 0;

  const int32_t* of(int i) const { return weights.data() + static_cast<size_t>(i) * stride; }
};

Taps make_taps(int input_size, int output_size, int first, int count) {
  const double scale = static_cast<double>(input_size) / output_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kSupport * filter_scale;
  // Pillow multiplies by the reciprocal; dividing would differ in the last bit.
  const double inverse_scale = 1.0 / filter_scale;
  Taps taps;
  taps.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.begin.resize(static_cast<size_t>(count));
  taps.length.resize(static_cast<size_t>(count));
  taps.weights.resize(static_cast<size_t>(count) * taps.stride);
  std::vector<double> exact(static_cast<size_t>(taps.stride));
  for (int i = 0; i < count; ++i) {
    const double center = (first + i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(input_size, static_cast<int>(center + support + 0.5));
    double sum = 0.0;
    for (int x = begin; x < end; ++x) {
      exact[x - begin] = cubic((x - center + 0.5) * inverse_scale);
      sum += exact[x - begin];
    }
    int32_t* weights = taps.weights.data() + static_cast<size_t>(i) * taps.stride;
    for (int k = 0; k < end - begin; ++k) {
      const double fixed = (sum != 0.0 ? exact[k] / sum : exact[k]) * (1 << kPrecisionBits);
      weights[k] = static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
    taps.begin[i] = begin;
    taps.length[i] = end - begin;
  }
  return taps;
}

uint8_t to_byte(int32_t fixed) {
  return static_cast<uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

/// One row of RGB pixels resampled along x. source points at the row's first pixel.
void resample_row(const uint8_t* source, const Taps& taps, int count, uint8_t* target) {
  for (int i = 0; i < count; ++i) {
    const uint8_t* pixel = source + static_cast<size_t>(taps.begin[i]) * 3;
    const int32_t* weights = taps.of(i);
    int32_t red = kHalf;
    int32_t green = kHalf;
    int32_t blue = kHalf;
    for (int k = 0; k < taps.length[i]; ++k, pixel += 3) {
      red += pixel[0] * weights[k];
      green += pixel[1] * weights[k];
      blue += pixel[2] * weights[k];
    }
    target[3 * i + 0] = to_byte(red);
    target[3 * i + 1] = to_byte(green);
    target[3 * i + 2] = to_byte(blue);
  }
}

/// What is read: rows of `stride` bytes, from the first pixel of the input region.
struct Source {
  const uint8_t* first;
  size_t stride;
  int width;
  int height;
};

/// Pixels [box) of the source resized to width x height; the box lies inside.
Image resample(const Source& source, int width, int height, const CropBox& box) {
  const bool copy_columns = width == source.width;
  const bool copy_rows = height == source.height;
  const Taps across = make_taps(source.width, width, box.left, copy_columns ? 0 : box.width);
  const Taps down = make_taps(source.height, height, box.top, copy_rows ? 0 : box.height);
  const size_t row_bytes = static_cast<size_t>(box.width) * 3;
  // Only the rows that the second pass reads.
  const int first_row = copy_rows ? box.top : down.begin.front();
  const int last_row = copy_rows ? box.top + box.height : down.begin.back() + down.length.back();
  std::vector<uint8_t> middle(row_bytes * static_cast<size_t>(last_row - first_row));
  for (int y = first_row; y < last_row; ++y) {
    const uint8_t* row = source.first + source.stride * static_cast<size_t>(y);
    uint8_t* target = middle.data() + row_bytes * static_cast<size_t>(y - first_row);
    if (copy_columns) {
      std::copy_n(row + static_cast<size_t>(box.left) * 3, row_bytes, target);
    } else {
      resample_row(row, across, box.width, target);
    }
  }
  Image result{box.width, box.height, {}};
  if (copy_rows) {
    result.rgb = std::move(middle);
    return result;
  }
  result.rgb.resize(row_bytes * static_cast<size_t>(box.height));
  std::vector<int32_t> sums(row_bytes);
  for (int y = 0; y < box.height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < down.length[y]; ++k) {
      const int32_t weight = down.of(y)[k];
      const uint8_t* row =
          middle.data() + row_bytes * static_cast<size_t>(down.begin[y] + k - first_row);
      for (size_t x = 0; x < row_bytes; ++x) sums[x] += row[x] * weight;
    }
    uint8_t* target = result.rgb.data() + row_bytes * static_cast<size_t>(y);
    for (size_t x = 0; x < row_bytes; ++x) target[x] = to_byte(sums[x]);
  }
  return result;
}

void check_size(int width, int height) {
  LYNCEUS_CHECK(width > 0 && height > 0, "resize to {} x {}", width, height);
}

}  // namespace

Image resize_bicubic(const Image& image, int width, int height) {
  return resize_bicubic(image, {0, 0, image.width, image.height}, width, height);
}

Image resize_bicubic(const Image& image, const CropBox& box, int width, int height) {
  check_size(width, height);
  LYNCEUS_CHECK(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0 &&
                    box.left + box.width <= image.width && box.top + box.height <= image.height,
                "box {}+{} x {}+{} of an image of {} x {}", box.left, box.width, box.top,
                box.height, image.width, image.height);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  const uint8_t* first =
      image.rgb.data() + stride * static_cast<size_t>(box.top) + static_cast<size_t>(box.left) * 3;
  return resample({first, stride, box.width, box.height}, width, height, {0, 0, width, height});
}

Image resize_bicubic_crop(const Image& image, int width, int height, const CropBox& box) {
  check_size(width, height);
  const int left = std::max(0, box.left);
  const int top = std::max(0, box.top);
  const int right = std::min(width, box.left + box.width);
  const int bottom = std::min(height, box.top + box.height);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  const Source source{image.rgb.data(), stride, image.width, image.height};
  if (left == box.left && top == box.top && right == box.left + box.width &&
      bottom == box.top + box.height) {
    return resample(source, width, height, box);
  }
  Image padded{box.width, box.height, {}};
  padded.rgb.resize(static_cast<size_t>(box.width) * box.height * 3);
  if (left >= right || top >= bottom) return padded;
  const Image inside = resample(source, width, height, {left, top, right - left, bottom - top});
  const size_t inside_bytes = static_cast<size_t>(inside.width) * 3;
  for (int y = 0; y < inside.height; ++y) {
    const size_t target =
        (static_cast<size_t>(y + top - box.top) * box.width + left - box.left) * 3;
    std::copy_n(inside.rgb.data() + inside_bytes * static_cast<size_t>(y), inside_bytes,
                padded.rgb.data() + target);
  }
  return padded;
}

}  // namespace lynceus::io
