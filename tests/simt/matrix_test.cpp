// The matrix unit: fragments by the formulas of PTX's mma.m16n8k16, loads of matrices in row order
// and transposed, and products of tiles in shared memory that use both. Small integers are exact in
// bf16 and in any order of summation. Runs on the shim, and in the preset "cuda" also on a GPU,
// with the same expectations.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/simt/matrix.h"

namespace lynceus::simt {
namespace {

constexpr int kLanes = 32;

std::vector<float> whole_numbers(int count, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(random() % 33) - 16;
  return values;
}

/// c [16, 8] + a [16, 16] · b [16, 8].
std::vector<float> plain_product(const std::vector<float>& a, const std::vector<float>& b,
                                 std::vector<float> c) {
  for (size_t row = 0; row < kRows; ++row)
    for (size_t column = 0; column < kColumns; ++column)
      for (size_t k = 0; k < kDepth; ++k)
        c[row * kColumns + column] += a[row * kDepth + k] * b[k * kColumns + column];
  return c;
}

class SimtMatrix : public testing::Test {
 protected:
  Stream stream_{Device{DeviceKind::kCuda, 0}};
  std::vector<float> a_ = whole_numbers(kRows * kDepth, 1);
  std::vector<float> b_ = whole_numbers(kDepth * kColumns, 2);
  std::vector<float> c_ = whole_numbers(kRows * kColumns, 3);
  Tensor a_on_device_ = Tensor::from(stream_, {kRows, kDepth}, a_);
  Tensor b_on_device_ = Tensor::from(stream_, {kDepth, kColumns}, b_);
};

TEST_F(SimtMatrix, ProductOfFragments) {
  const Tensor c = Tensor::from(stream_, {kRows, kColumns}, c_);
  const Tensor out = product_of_fragments(stream_, a_on_device_, b_on_device_, c);
  EXPECT_EQ(out.to_vector<float>(), plain_product(a_, b_, c_));
}

TEST_F(SimtMatrix, ProductOfTilesInSharedMemory) {
  const Tensor out = product_of_tiles(stream_, a_on_device_, b_on_device_);
  EXPECT_EQ(out.to_vector<float>(), plain_product(a_, b_, std::vector<float>(kRows * kColumns)));
}

TEST_F(SimtMatrix, LoadsBothWays) {
  const auto values = loaded_both_ways(stream_).to_vector<int32_t>();
  for (int i = 0; i < kLanes; ++i)
    for (int r = 0; r < 4; ++r) {
      const int row = i / 4, column = 2 * (i % 4);
      const int plain = 100 * r + 10 * row + column, transposed = 100 * r + 10 * column + row;
      EXPECT_EQ(values[static_cast<size_t>(4 * i + r)], plain | (plain + 1) << 16) << i;
      EXPECT_EQ(values[static_cast<size_t>(4 * (kLanes + i) + r)], transposed | (transposed + 10)
                                                                                    << 16)
          << i;
    }
}

}  // namespace
}  // namespace lynceus::simt
