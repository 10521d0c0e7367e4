#include "io/media/image_transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"

namespace lynceus::io {
namespace {

constexpr std::array<float, 3> kMean{0.48145466f, 0.4578275f, 0.40821073f};
constexpr std::array<float, 3> kStd{0.26862954f, 0.26130258f, 0.27577711f};

constexpr double kMinScale = 0.9;
constexpr double kMaxScale = 1.0;
constexpr double kMinRatio = 3.0 / 4.0;
constexpr double kMaxRatio = 4.0 / 3.0;
constexpr int kAttempts = 10;

std::array<std::array<float, 256>, 3> make_table() {
  std::array<std::array<float, 256>, 3> table;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      const float unit = static_cast<float>(v) / 255.0f;
      table[c][v] = (unit - kMean[c]) / kStd[c];
    }
  }
  return table;
}

const std::array<std::array<float, 256>, 3>& table() {
  static const auto values = make_table();
  return values;
}

/// Python's round(): halves are rounded to even.
int round_half_even(double value) { return static_cast<int>(std::nearbyint(value)); }

/// The largest centred box with an allowed aspect ratio, as torchvision uses if no random box fits.
CropBox central_box(int width, int height) {
  const double ratio = static_cast<double>(width) / height;
  CropBox box{0, 0, width, height};
  if (ratio < kMinRatio) box.height = std::min(height, round_half_even(width / kMinRatio));
  if (ratio > kMaxRatio) box.width = std::min(width, round_half_even(height * kMaxRatio));
  box.left = (width - box.width) / 2;
  box.top = (height - box.height) / 2;
  return box;
}

}  // namespace

EvaluationGeometry evaluation_geometry(int width, int height, int size) {
  LYNCEUS_CHECK(width > 0 && height > 0 && size > 0, "{} x {} to {}", width, height, size);
  const bool upright = width <= height;
  const double shorter = upright ? width : height;
  const double longer = upright ? height : width;
  const double exact = size * longer / shorter;
  if (exact > std::numeric_limits<int>::max())
    throw InputError("an image of {} x {} is too long to resize its shorter side to {}", width,
                     height, size);
  const int resized_longer = static_cast<int>(exact);
  EvaluationGeometry geometry;
  geometry.resized_width = upright ? size : resized_longer;
  geometry.resized_height = upright ? resized_longer : size;
  geometry.crop = {round_half_even((geometry.resized_width - size) / 2.0),
                   round_half_even((geometry.resized_height - size) / 2.0), size, size};
  return geometry;
}

Image evaluation_transform(const Image& image, int size) {
  const EvaluationGeometry geometry = evaluation_geometry(image.width, image.height, size);
  return resize_bicubic_crop(image, geometry.resized_width, geometry.resized_height, geometry.crop);
}

CropBox random_resized_crop_box(int width, int height, uint64_t seed, uint64_t sample_index,
                                uint64_t media_index) {
  const uint64_t sample_key = CounterRandom(seed, "random_resized_crop").bits(sample_index);
  const CounterRandom random(sample_key + media_index, "random_resized_crop.draw");
  const double area = static_cast<double>(width) * height;
  for (uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const uint64_t draw = attempt * 4;
    const double target_area = area * (kMinScale + (kMaxScale - kMinScale) * random.uniform(draw));
    const double log_ratio = std::log(kMinRatio) +
                             (std::log(kMaxRatio) - std::log(kMinRatio)) * random.uniform(draw + 1);
    const double ratio = std::exp(log_ratio);
    const int box_width = round_half_even(std::sqrt(target_area * ratio));
    const int box_height = round_half_even(std::sqrt(target_area / ratio));
    if (box_width <= 0 || box_width > width || box_height <= 0 || box_height > height) continue;
    const auto columns = static_cast<uint64_t>(width - box_width + 1);
    const auto rows = static_cast<uint64_t>(height - box_height + 1);
    return {static_cast<int>(random.below(draw + 2, columns)),
            static_cast<int>(random.below(draw + 3, rows)), box_width, box_height};
  }
  return central_box(width, height);
}

Image training_transform(const Image& image, int size, uint64_t seed, uint64_t sample_index,
                         uint64_t media_index) {
  const CropBox box =
      random_resized_crop_box(image.width, image.height, seed, sample_index, media_index);
  return resize_bicubic(image, box, size, size);
}

float normalized_value(int channel, uint8_t byte) { return table()[channel][byte]; }

void normalize(const Image& image, float* target) {
  const size_t pixels = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  for (size_t c = 0; c < 3; ++c) {
    const auto& values = table()[c];
    for (size_t i = 0; i < pixels; ++i) target[c * pixels + i] = values[image.rgb[3 * i + c]];
  }
}

}  // namespace lynceus::io
