// Attention forward on the tensor cores, in bf16 with sums in f32 (FlashAttention-2, Dao 2023). A
// block computes a tile of queries and loops over tiles of keys and values. Each warp converts the
// scores of its own rows to weights relative to a running maximum, and rounds them to bf16 for the
// product with v. The next tile of k is copied during the softmax and the second product, the tile
// of v during the first one, so one buffer each is enough.
#include "kernels/cuda/attention_tiles.h"

namespace lynceus::kernels::cuda {
namespace {

/// Sizes by the width of the tiles: rows per warp (in blocks of 16) and keys per step. Two blocks
/// per warp halve the reads of k and v from shared memory.
template <int kDim>
struct Tiles {
  static constexpr int kBlocks = 2;
  static constexpr int kWarpRows = kBlocks * kBlockRows;
  static constexpr int kQueries = kWarps * kWarpRows;
  static constexpr int kKeys = kDim <= 64 ? 64 : 48;  // limited by the registers
  static constexpr int kScoreColumns = kKeys / kBlockColumns;
  static constexpr int kOutColumns = kDim / kBlockColumns;
  static constexpr size_t kSharedBytes = (kQueries + 2 * kKeys) * kTileStride<kDim> * sizeof(bf16);
};

/// The running maximum of a warp's rows and this thread's part of their sums, in powers of two.
template <int kDim>
struct OnlineSoftmax {
  using T = Tiles<kDim>;
  float maximum[T::kBlocks][2], sum[T::kBlocks][2];

  LYNCEUS_DEVICE OnlineSoftmax() {
#pragma unroll
    for (int m = 0; m < T::kBlocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        maximum[m][half] = -INFINITY;
        sum[m][half] = 0;
      }
  }

  /// Converts scores to weights 2^(scale · (score − maximum)), and rescales the earlier sums to the
  /// new maximum.
  LYNCEUS_DEVICE void take(float scale, float (&scores)[T::kBlocks][T::kScoreColumns][4],
                           float (&out)[T::kBlocks][T::kOutColumns][4]) {
#pragma unroll
    for (int m = 0; m < T::kBlocks; ++m)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float largest = maximum[m][half];
#pragma unroll
        for (int n = 0; n < T::kScoreColumns; ++n)
          largest = fmaxf(largest, fmaxf(scores[m][n][half * 2], scores[m][n][half * 2 + 1]));
        largest = row_max(largest);
        const float base = largest == -INFINITY ? 0.0f : largest * scale;
        const float correction = simt::fast_exp2(maximum[m][half] * scale - base);
        maximum[m][half] = largest;
        sum[m][half] *= correction;
#pragma unroll
        for (int n = 0; n < T::kScoreColumns; ++n)
#pragma unroll
          for (int pair = 0; pair < 2; ++pair) {
            float& weight = scores[m][n][half * 2 + pair];
            weight = simt::fast_exp2(weight * scale - base);
            sum[m][half] += weight;
          }
#pragma unroll
        for (int n = 0; n < T::kOutColumns; ++n)
#pragma unroll
          for (int pair = 0; pair < 2; ++pair) out[m][n][half * 2 + pair] *= correction;
      }
  }
};

/// Masked scores become −inf: keys after the end, and if `causal`, keys after the row.
template <int kBlocks, int kColumns>
LYNCEUS_DEVICE void mask(int row, int key, int keys, bool causal,
                         float (&scores)[kBlocks][kColumns][4]) {
#pragma unroll
  for (int m = 0; m < kBlocks; ++m)
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int at = key + n * kBlockColumns + column_in_block(i % 2);
        const int of = row + m * kBlockRows + row_in_block(i / 2);
        if (at >= keys || (causal && at > of)) scores[m][n][i] = -INFINITY;
      }
}

template <int kDim>
__global__ void __launch_bounds__(kWarpThreads, 2) forward(AttentionForward<bf16> call) {
  using T = Tiles<kDim>;
  const AttentionProblem& problem = call.problem;
  const AttentionPlace place = place_of_block(problem, problem.heads);
  const int first = query_tile_of_block() * T::kQueries;
  if (first >= place.q_rows) return;
  const auto q = place.query_head(problem, call.q, place.head);
  const auto k = place.key_head(problem, call.k, place.head / place.group);
  const auto v = place.key_head(problem, call.v, place.head / place.group);
  bf16* const q_tile = simt::dynamic_shared<bf16>();
  bf16* const k_tile = q_tile + T::kQueries * kTileStride<kDim>;
  bf16* const v_tile = k_tile + T::kKeys * kTileStride<kDim>;

  const int warp_row = warp_of_block() * T::kWarpRows;
  bf16* const warp_tile = q_tile + warp_row * kTileStride<kDim>;
  const int row = first + warp_row;  // the warp's first
  const int keys = keys_seen(problem, place, first, T::kQueries);
  const int warp_keys = keys_seen(problem, place, row, T::kWarpRows);
  OnlineSoftmax<kDim> softmax;
  float out[T::kBlocks][T::kOutColumns][4] = {};

  copy_rows<kDim, T::kQueries>(q, first, problem.packs, q_tile);
  copy_rows<kDim, T::kKeys>(k, 0, problem.packs, k_tile);
  simt::commit_copies();
  for (int key = 0; key < keys; key += T::kKeys) {
    const bool seen = key < warp_keys;
    float scores[T::kBlocks][T::kScoreColumns][4];
    simt::wait_copies<0>();
    simt::sync_block();  // k has arrived, and v is no longer read
    copy_rows<kDim, T::kKeys>(v, key, problem.packs, v_tile);
    simt::commit_copies();
    if (seen) products_of_rows<kDim>(warp_tile, k_tile, scores);
    simt::wait_copies<0>();
    simt::sync_block();  // v has arrived, and k is no longer read
    if (key + T::kKeys < keys) copy_rows<kDim, T::kKeys>(k, key + T::kKeys, problem.packs, k_tile);
    simt::commit_copies();
    if (!seen) continue;
    const int last = key + T::kKeys - 1;
    if (last >= place.k_rows || (problem.causal && last > row))
      mask(row, key, place.k_rows, problem.causal, scores);
    softmax.take(problem.scale * kLog2E, scores, out);
    add_weighted_rows<kDim>(scores, v_tile, out);
  }
  simt::wait_copies<0>();
  simt::sync_block();  // without keys, q may still be being copied to the tile that store_rows uses

  float inverse[T::kBlocks][2];
#pragma unroll
  for (int m = 0; m < T::kBlocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = row_sum(softmax.sum[m][half]);
      inverse[m][half] = sum == 0 ? 0.0f : 1.0f / sum;
      const int at = row + m * kBlockRows + row_in_block(half);
      if (call.lse != nullptr && column_in_block(0) == 0 && at < place.q_rows)
        call.lse[place.row_values(problem, place.head) + at] =
            softmax.maximum[m][half] * problem.scale + logf(sum);
    }
  store_rows<kDim>(out, inverse, warp_tile, place.query_head(problem, call.out, place.head), row,
                   problem.packs);
}

}  // namespace

void forward_on_tensor_cores(const Stream& stream, const AttentionForward<bf16>& call) {
  const AttentionProblem& problem = call.problem;
  for_tile_width(problem.head_dim, [&](auto width) {
    using T = Tiles<width>;
    simt::launch(forward<width>,
                 attention_grid(problem, problem.heads, problem.most_queries, T::kQueries),
                 kWarpThreads, T::kSharedBytes, stream, call);
  });
}

}  // namespace lynceus::kernels::cuda
