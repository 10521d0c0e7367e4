// Computes Pillow's bicubic weights and the part of the image that the two passes read.
#include "io/media/resize.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/check.h"
#include "io/media/resample_rows.h"

namespace lynceus::io {
namespace {

using internal::RgbRows;
using internal::Taps;

constexpr double kSupport = 2.0;

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/// The weights of the output pixels [first, first + count) of one axis.
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
      const double fixed = (sum != 0.0 ? exact[k] / sum : exact[k]) * (1 << internal::kWeightBits);
      weights[k] = static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5));
    }
    taps.begin[i] = begin;
    taps.length[i] = end - begin;
  }
  return taps;
}

void copy_rows_of(const RgbRows& rows, size_t first_byte, size_t bytes, uint8_t* target,
                  size_t target_stride) {
  for (int y = 0; y < rows.height; ++y)
    std::copy_n(rows.first + rows.stride * static_cast<size_t>(y) + first_byte, bytes,
                target + target_stride * static_cast<size_t>(y));
}

/// The pixels of `box` in the source resized to width x height; the box must be inside.
Image resample(const RgbRows& source, int width, int height, const CropBox& box) {
  const bool copy_columns = width == source.width;
  const bool copy_rows = height == source.height;
  const Taps down = make_taps(source.height, height, box.top, copy_rows ? 0 : box.height);
  // Only the rows that the second pass reads.
  const int first_row = copy_rows ? box.top : down.begin.front();
  const int last_row = copy_rows ? box.top + box.height : down.begin.back() + down.length.back();
  RgbRows read = source;
  read.first += source.stride * static_cast<size_t>(first_row);
  read.height = last_row - first_row;

  const size_t row_bytes = static_cast<size_t>(box.width) * 3;
  const size_t stride = internal::padded_row_bytes(box.width);
  const auto middle =
      std::make_unique_for_overwrite<uint8_t[]>(stride * static_cast<size_t>(read.height));
  if (copy_columns) {
    copy_rows_of(read, static_cast<size_t>(box.left) * 3, row_bytes, middle.get(), stride);
  } else {
    const Taps across = make_taps(source.width, width, box.left, box.width);
    internal::resample_across(read, across, middle.get());
  }
  Image result{box.width, box.height, {}};
  result.rgb.resize(row_bytes * static_cast<size_t>(box.height));
  if (copy_rows) {
    const RgbRows made{middle.get(), stride, box.width, box.height, nullptr};
    copy_rows_of(made, 0, row_bytes, result.rgb.data(), row_bytes);
  } else {
    internal::resample_down(middle.get(), box.width, down, first_row, result.rgb.data());
  }
  return result;
}

const uint8_t* end_of(const Image& image) { return image.rgb.data() + image.rgb.size(); }

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
  return resample({first, stride, box.width, box.height, end_of(image)}, width, height,
                  {0, 0, width, height});
}

Image resize_bicubic_crop(const Image& image, int width, int height, const CropBox& box) {
  check_size(width, height);
  const int left = std::max(0, box.left);
  const int top = std::max(0, box.top);
  const int right = std::min(width, box.left + box.width);
  const int bottom = std::min(height, box.top + box.height);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  const RgbRows source{image.rgb.data(), stride, image.width, image.height, end_of(image)};
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
