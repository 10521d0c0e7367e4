// The matrix unit of the shim: fragments by the formulas of PTX's mma.m16n8k16, loads of matrices
// as they are and transposed, and products of tiles in shared memory that use both. Small whole
// numbers are exact in bf16 and in any order of sums.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::simt {
namespace {

using kernels::cuda::pointer;

constexpr int kRows = 16, kColumns = 8, kDepth = 16;

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

uint32_t pair_of(float low, float high) {
  const auto bits = [](float x) {
    return uint32_t{std::bit_cast<uint16_t>(__float2bfloat16_rn(x))};
  };
  return bits(low) | bits(high) << 16;
}

// PTX's own formulas: groupID = lane / 4, threadID_in_group = lane % 4, element i of a, b, c.
int row_of_a(int i) { return lane() / 4 + (i % 4 < 2 ? 0 : 8); }
int column_of_a(int i) { return lane() % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0); }
int row_of_b(int i) { return lane() % 4 * 2 + (i & 1) + (i >= 2 ? 8 : 0); }
int column_of_b() { return lane() / 4; }
int row_of_c(int i) { return lane() / 4 + (i < 2 ? 0 : 8); }
int column_of_c(int i) { return lane() % 4 * 2 + (i & 1); }

void write_fragment(const float (&fragment)[4], float* c) {
  for (int i = 0; i < 4; ++i) c[row_of_c(i) * kColumns + column_of_c(i)] = fragment[i];
}

void multiply_fragments(const float* a, const float* b, const float* c, float* out) {
  uint32_t left[4], right[2];
  float sum[4];
  const auto a_at = [&](int i) { return a[row_of_a(i) * kDepth + column_of_a(i)]; };
  const auto b_at = [&](int i) { return b[row_of_b(i) * kColumns + column_of_b()]; };
  for (int r = 0; r < 4; ++r) left[r] = pair_of(a_at(2 * r), a_at(2 * r + 1));
  for (int r = 0; r < 2; ++r) right[r] = pair_of(b_at(2 * r), b_at(2 * r + 1));
  for (int i = 0; i < 4; ++i) sum[i] = c[row_of_c(i) * kColumns + column_of_c(i)];
  mma_bf16(sum, left, right);
  write_fragment(sum, out);
}

// Through shared memory: a as its rows lie, b transposed, for b's rows run along the depth.
void multiply_tiles(const float* a, const float* b, float* out) {
  auto* const left_tile = dynamic_shared<__nv_bfloat16>();  // [16, 16]
  auto* const right_tile = left_tile + kRows * kDepth;      // [16, 8]
  for (int i = lane(); i < kRows * kDepth; i += kWarp) left_tile[i] = __float2bfloat16_rn(a[i]);
  for (int i = lane(); i < kDepth * kColumns; i += kWarp) right_tile[i] = __float2bfloat16_rn(b[i]);
  sync_warp();
  uint32_t left[4], right[4];
  load_matrix(left, left_tile + lane() % 16 * kDepth + lane() / 16 * 8);
  load_matrix_transposed(right, right_tile + lane() % 16 * kColumns);  // twice the two matrices
  float sum[4] = {};
  mma_bf16(sum, left, {right[2], right[3]});
  write_fragment(sum, out);
}

// 16 bits of each element say matrix, row, column. out: [2, lane, register], as it lies and
// transposed.
void load_both_ways(int32_t* out) {
  auto* const rows = dynamic_shared<uint16_t>();
  for (int column = 0; column < 8; ++column)
    rows[lane() * 8 + column] = static_cast<uint16_t>(lane() / 8 * 100 + lane() % 8 * 10 + column);
  sync_warp();
  uint32_t fragment[4];
  load_matrix(fragment, rows + lane() * 8);
  for (int r = 0; r < 4; ++r) out[lane() * 4 + r] = static_cast<int32_t>(fragment[r]);
  load_matrix_transposed(fragment, rows + lane() * 8);
  for (int r = 0; r < 4; ++r) out[(kWarp + lane()) * 4 + r] = static_cast<int32_t>(fragment[r]);
}

class SimtMatrix : public testing::Test {
 protected:
  Stream stream_{Device{DeviceKind::kCuda, 0}};
  std::vector<float> a_ = whole_numbers(kRows * kDepth, 1);
  std::vector<float> b_ = whole_numbers(kDepth * kColumns, 2);
  std::vector<float> c_ = whole_numbers(kRows * kColumns, 3);
  Tensor a_on_device_ = Tensor::from(stream_, {kRows, kDepth}, a_);
  Tensor b_on_device_ = Tensor::from(stream_, {kDepth, kColumns}, b_);
  Tensor out_ = Tensor::zeros(stream_, {kRows, kColumns});
};

TEST_F(SimtMatrix, ProductOfFragments) {
  const Tensor c = Tensor::from(stream_, {kRows, kColumns}, c_);
  launch(multiply_fragments, 1, kWarp, 0, stream_, pointer<float>(a_on_device_),
         pointer<float>(b_on_device_), pointer<float>(c), pointer<float>(out_));
  EXPECT_EQ(out_.to_vector<float>(), plain_product(a_, b_, c_));
}

TEST_F(SimtMatrix, ProductOfTilesInSharedMemory) {
  launch(multiply_tiles, 1, kWarp, 2 * (kRows + kColumns) * kDepth, stream_,
         pointer<float>(a_on_device_), pointer<float>(b_on_device_), pointer<float>(out_));
  EXPECT_EQ(out_.to_vector<float>(), plain_product(a_, b_, std::vector<float>(kRows * kColumns)));
}

TEST_F(SimtMatrix, LoadsBothWays) {
  const Tensor out = Tensor::zeros(stream_, {2 * kWarp, 4}, DType::kI32);
  launch(load_both_ways, 1, kWarp, 16 * kWarp, stream_, pointer<int32_t>(out));
  const auto values = out.to_vector<int32_t>();
  for (int i = 0; i < kWarp; ++i)
    for (int r = 0; r < 4; ++r) {
      const int row = i / 4, column = 2 * (i % 4);
      const int plain = 100 * r + 10 * row + column, transposed = 100 * r + 10 * column + row;
      EXPECT_EQ(values[static_cast<size_t>(4 * i + r)], plain | (plain + 1) << 16) << i;
      EXPECT_EQ(values[static_cast<size_t>(4 * (kWarp + i) + r)], transposed | (transposed + 10)
                                                                                   << 16)
          << i;
    }
}

}  // namespace
}  // namespace lynceus::simt
