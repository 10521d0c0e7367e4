// value(i, rank) = (i + 7 rank) mod 256 + floor(i / 256) mod 128: at most 382, so the sum over
// 40,000 ranks is below 2^24.
#include "doctor/network/pattern.h"

#include <array>

namespace lynceus::doctor {
namespace {

constexpr int64_t kPeriod = 256, kBlocks = 128, kStride = 7;

float block_value(int64_t i) { return static_cast<float>(i / kPeriod % kBlocks); }

/// The first part of the value for each i mod 256, summed over ranks.
std::array<float, kPeriod> first_part(const std::vector<int>& ranks) {
  std::array<float, kPeriod> values{};
  for (int64_t i = 0; i < kPeriod; ++i)
    for (const int rank : ranks)
      values[static_cast<size_t>(i)] += static_cast<float>((i + kStride * rank) % kPeriod);
  return values;
}

}  // namespace

void fill_pattern(const Tensor& x, int rank) {
  const auto first = first_part({rank});
  float* values = x.data<float>();
  for (int64_t i = 0; i < x.size(); ++i)
    values[i] = first[static_cast<size_t>(i % kPeriod)] + block_value(i);
}

int64_t first_wrong_sum(const Tensor& x, const std::vector<int>& ranks) {
  const auto first = first_part(ranks);
  const auto count = static_cast<float>(ranks.size());
  const float* values = x.data<float>();
  for (int64_t i = 0; i < x.size(); ++i)
    if (values[i] != first[static_cast<size_t>(i % kPeriod)] + count * block_value(i)) return i;
  return -1;
}

int64_t first_wrong(const Tensor& x, int rank) { return first_wrong_sum(x, {rank}); }

}  // namespace lynceus::doctor
