// Loops over kLanes independent values compile to AVX2 code; the order of the sums is fixed.
#include "generate/row_math.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "kernels/cpu/vector_math.h"

namespace lynceus::generate {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kPart = 32 * kLanes;  // partial sums of this many values are f32, above f64
constexpr float kLowest = -std::numeric_limits<float>::infinity();

}  // namespace

float largest_of(std::span<const float> row) {
  std::array<float, kLanes> lanes;
  lanes.fill(kLowest);
  size_t i = 0;
  for (; i + kLanes <= row.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = row[i + lane] > lanes[lane] ? row[i + lane] : lanes[lane];
    }
  }
  float largest = *std::max_element(lanes.begin(), lanes.end());
  for (; i < row.size(); ++i) largest = row[i] > largest ? row[i] : largest;
  return largest;
}

double log_sum_exp(std::span<const float> row) {
  const float largest = largest_of(row);
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (size_t part = 0; part < row.size(); part += kPart) {
    const size_t end = std::min(part + kPart, row.size());
    std::array<float, kLanes> lanes{};
    size_t i = part;
    for (; i + kLanes <= end; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] += kernels::cpu::vector_exp(row[i + lane] - largest);
      }
    }
    for (; i < end; ++i) lanes[0] += kernels::cpu::vector_exp(row[i] - largest);
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  return static_cast<double>(largest) + std::log(sum);
}

void subtract(std::span<const float> logits, double log_sum, std::span<float> scores) {
  for (size_t i = 0; i < logits.size(); ++i) {
    scores[i] = static_cast<float>(static_cast<double>(logits[i]) - log_sum);
  }
}

void exponentials(std::span<const float> scores, float largest, float scale,
                  std::span<float> weights) {
  for (size_t i = 0; i < scores.size(); ++i) {
    weights[i] = kernels::cpu::vector_exp((scores[i] - largest) * scale);
  }
}

}  // namespace lynceus::generate
