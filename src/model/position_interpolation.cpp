#include "model/position_interpolation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace lynceus::model {
namespace {

/// The four taps of one output coordinate.
struct Taps {
  std::array<int64_t, 4> index;
  std::array<double, 4> weight;
};

Taps taps_at(int64_t out, int64_t from, int64_t to) {
  constexpr double kA = -0.75;
  const double source =
      (static_cast<double>(out) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
  const double base = std::floor(source);
  const double t = source - base;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };  // |x| ≤ 1
  const auto far = [](double x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };  // 1..2
  Taps taps;
  taps.weight = {far(t + 1), near(t), near(1 - t), far(2 - t)};
  for (int64_t i = 0; i < 4; ++i)
    taps.index[i] = std::clamp<int64_t>(static_cast<int64_t>(base) - 1 + i, 0, from - 1);
  return taps;
}

}  // namespace

Tensor interpolate_position(const Stream& stream, const Tensor& position, int64_t to) {
  const int64_t width = position.dim(2);
  const int64_t from = std::llround(std::sqrt(static_cast<double>(position.dim(1) - 1)));
  LYNCEUS_CHECK(from * from + 1 == position.dim(1), "positions of shape {} are not a square grid",
                position.shape().to_string());
  if (from == to) return position.clone(stream, MemoryOwner::kFrozenWeight);

  Tensor result =
      Tensor::empty(stream, {1, 1 + to * to, width}, DType::kF32, MemoryOwner::kFrozenWeight);
  const float* source = position.data<float>();
  float* target = result.data<float>();
  std::copy_n(source, width, target);
  std::vector<double> sum(width);
  for (int64_t y = 0; y < to; ++y) {
    const Taps rows = taps_at(y, from, to);
    for (int64_t x = 0; x < to; ++x) {
      const Taps columns = taps_at(x, from, to);
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
          const double weight = rows.weight[i] * columns.weight[j];
          const float* row = source + (1 + rows.index[i] * from + columns.index[j]) * width;
          for (int64_t c = 0; c < width; ++c) sum[c] += weight * static_cast<double>(row[c]);
        }
      float* out = target + (1 + y * to + x) * width;
      for (int64_t c = 0; c < width; ++c) out[c] = static_cast<float>(sum[c]);
    }
  }
  return result;
}

}  // namespace lynceus::model
