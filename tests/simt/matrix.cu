// Fragments are filled by hand or by load_matrix.
#include "tests/simt/matrix.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::simt {
namespace {

using kernels::cuda::pointer;

LYNCEUS_DEVICE uint32_t bits_of(float x) {
  return uint32_t{__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}
LYNCEUS_DEVICE uint32_t pair_of(float low, float high) {
  return bits_of(low) | bits_of(high) << 16;
}

// The formulas of the PTX manual: groupID = lane / 4, threadID_in_group = lane % 4, element i of a,
// b, c.
LYNCEUS_DEVICE int row_of_a(int i) { return lane() / 4 + (i % 4 < 2 ? 0 : 8); }
LYNCEUS_DEVICE int column_of_a(int i) { return lane() % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0); }
LYNCEUS_DEVICE int row_of_b(int i) { return lane() % 4 * 2 + (i & 1) + (i >= 2 ? 8 : 0); }
LYNCEUS_DEVICE int column_of_b() { return lane() / 4; }
LYNCEUS_DEVICE int row_of_c(int i) { return lane() / 4 + (i < 2 ? 0 : 8); }
LYNCEUS_DEVICE int column_of_c(int i) { return lane() % 4 * 2 + (i & 1); }

LYNCEUS_DEVICE void write_fragment(const float (&fragment)[4], float* c) {
  for (int i = 0; i < 4; ++i) c[row_of_c(i) * kColumns + column_of_c(i)] = fragment[i];
}

__global__ void multiply_fragments(const float* a, const float* b, const float* c, float* out) {
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

// Through shared memory: a in row order, b transposed because its rows run along the depth.
__global__ void multiply_tiles(const float* a, const float* b, float* out) {
  auto* const left_tile = dynamic_shared<__nv_bfloat16>();  // [16, 16]
  auto* const right_tile = left_tile + kRows * kDepth;      // [16, 8]
  for (int i = lane(); i < kRows * kDepth; i += kWarp) left_tile[i] = __float2bfloat16_rn(a[i]);
  for (int i = lane(); i < kDepth * kColumns; i += kWarp) right_tile[i] = __float2bfloat16_rn(b[i]);
  sync_warp();
  uint32_t left[4], right[4];
  load_matrix(left, left_tile + lane() % 16 * kDepth + lane() / 16 * 8);
  load_matrix_transposed(right, right_tile + lane() % 16 * kColumns);  // both matrices twice
  float sum[4] = {};
  mma_bf16(sum, left, {right[2], right[3]});
  write_fragment(sum, out);
}

// The 16 bits of an element encode matrix, row and column. out: [2, lane, register], first in row
// order, then transposed.
__global__ void load_both_ways(int32_t* out) {
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

}  // namespace

Tensor product_of_fragments(const Stream& stream, const Tensor& a, const Tensor& b,
                            const Tensor& c) {
  const Tensor out = Tensor::zeros(stream, {kRows, kColumns});
  launch(multiply_fragments, 1, kWarp, 0, stream, pointer<float>(a), pointer<float>(b),
         pointer<float>(c), pointer<float>(out));
  return out;
}

Tensor product_of_tiles(const Stream& stream, const Tensor& a, const Tensor& b) {
  const Tensor out = Tensor::zeros(stream, {kRows, kColumns});
  launch(multiply_tiles, 1, kWarp, 2 * (kRows + kColumns) * kDepth, stream, pointer<float>(a),
         pointer<float>(b), pointer<float>(out));
  return out;
}

Tensor loaded_both_ways(const Stream& stream) {
  const Tensor out = Tensor::zeros(stream, {2 * kWarp, 4}, DType::kI32);
  launch(load_both_ways, 1, kWarp, 16 * kWarp, stream, pointer<int32_t>(out));
  return out;
}

}  // namespace lynceus::simt
