// Attention backward on the tensor cores, in bf16 with sums in f32. Two kernels recompute the
// weights from lse. Each of their sums has one writer, so results do not depend on the order in
// which blocks run:
//
//   backward_queries   a block's tile of queries stays, keys and values stream past:
//                      dscores = p · (dout · vᵀ − delta), dq = scale · dscores · k
//   backward_keys      a block's tile of keys stays, the queries of all heads that read it stream
//                      past, in the same order always; scores are transposed, a row is a key:
//                      dv = pᵀ · dout, dk = scale · dscoresᵀ · q
//
// Streamed tiles have two buffers: the next tiles are copied while the current ones are used.
#include "kernels/cuda/attention_tiles.h"

namespace lynceus::kernels::cuda {
namespace {

/// Sizes by the width of the tiles: rows that stay (a warp's, in blocks of 16) and rows per step of
/// the two streamed tensors, limited by the registers.
template <int kDim>
struct Tiles {
  static constexpr int kBlocks = 1;
  static constexpr int kWarpRows = kBlocks * kBlockRows;
  static constexpr int kRows = kWarps * kWarpRows;
  static constexpr int kStep = kDim <= 64 ? 64 : 32;
  static constexpr int kStepColumns = kStep / kBlockColumns;  // of scores
  static constexpr int kResultColumns = kDim / kBlockColumns;
  static constexpr int kStayingTile = kRows * kTileStride<kDim>;
  static constexpr int kStreamingTile = kStep * kTileStride<kDim>;
  static constexpr size_t kSharedBytes = (2 * kStayingTile + 4 * kStreamingTile) * sizeof(bf16);
  using Scores = float[kBlocks][kStepColumns][4];
  using Results = float[kBlocks][kResultColumns][4];
};

/// The block's shared memory.
template <int kDim>
struct Buffers {
  using T = Tiles<kDim>;
  bf16* memory = simt::dynamic_shared<bf16>();
  LYNCEUS_DEVICE bf16* staying(int tensor) const { return memory + tensor * T::kStayingTile; }
  LYNCEUS_DEVICE bf16* streaming(int step, int tensor) const {
    return memory + 2 * T::kStayingTile + (step % 2 * 2 + tensor) * T::kStreamingTile;
  }
};

/// compute(m, n, i, row, column) for a thread's elements of scores.
template <int kBlocks, int kColumns, typename Compute>
LYNCEUS_DEVICE void for_each_score(Compute compute) {
#pragma unroll
  for (int m = 0; m < kBlocks; ++m)
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        compute(m, n, i, m * kBlockRows + row_in_block(i / 2),
                n * kBlockColumns + column_in_block(i % 2));
}

template <int kDim>
__global__ void __launch_bounds__(kWarpThreads, 2) backward_queries(AttentionBackward<bf16> call) {
  using T = Tiles<kDim>;
  const AttentionProblem& problem = call.problem;
  const AttentionPlace place = place_of_block(problem, problem.heads);
  const int first = query_tile_of_block() * T::kRows;
  if (first >= place.q_rows) return;
  const auto k = place.key_head(problem, call.k, place.head / place.group);
  const auto v = place.key_head(problem, call.v, place.head / place.group);
  const Buffers<kDim> buffers;
  const auto start = [&](int step) {
    copy_rows<kDim, T::kStep>(k, step * T::kStep, problem.packs, buffers.streaming(step, 0));
    copy_rows<kDim, T::kStep>(v, step * T::kStep, problem.packs, buffers.streaming(step, 1));
    simt::commit_copies();
  };

  const int offset = warp_of_block() * T::kWarpRows, row = first + offset;  // the warp's first
  const int keys = keys_seen(problem, place, first, T::kRows);
  const int warp_keys = keys_seen(problem, place, row, T::kWarpRows);
  const float scale = problem.scale * kLog2E;
  float lse[T::kBlocks][2], delta[T::kBlocks][2];
#pragma unroll
  for (int m = 0; m < T::kBlocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int at = row + m * kBlockRows + row_in_block(half);
      const int64_t value = place.row_values(problem, place.head) + at;
      lse[m][half] = at < place.q_rows ? call.lse[value] * kLog2E : 0.0f;
      delta[m][half] = at < place.q_rows ? call.delta[value] : 0.0f;
    }

  copy_rows<kDim, T::kRows>(place.query_head(problem, call.q, place.head), first, problem.packs,
                            buffers.staying(0));
  copy_rows<kDim, T::kRows>(place.query_head(problem, call.dout, place.head), first, problem.packs,
                            buffers.staying(1));
  simt::commit_copies();
  if (keys > 0) start(0);
  bf16* const q_tile = buffers.staying(0) + offset * kTileStride<kDim>;
  const bf16* const dout_tile = buffers.staying(1) + offset * kTileStride<kDim>;
  typename T::Results dq = {};
  for (int step = 0; step * T::kStep < keys; ++step) {
    const int key = step * T::kStep;
    simt::wait_copies<0>();
    simt::sync_block();  // this step's tiles have arrived, the last step's are no longer read
    if (key + T::kStep < keys) start(step + 1);
    if (key >= warp_keys) continue;
    typename T::Scores scores, dscores;
    products_of_rows<kDim>(q_tile, buffers.streaming(step, 0), scores);
    products_of_rows<kDim>(dout_tile, buffers.streaming(step, 1), dscores);
    for_each_score<T::kBlocks, T::kStepColumns>([&](int m, int n, int i, int r, int c) {
      const bool seen = key + c < place.k_rows && !(problem.causal && key + c > row + r);
      const float p = simt::fast_exp2(scores[m][n][i] * scale - lse[m][i / 2]);
      dscores[m][n][i] = seen ? p * (dscores[m][n][i] - delta[m][i / 2]) : 0.0f;
    });
    add_weighted_rows<kDim>(dscores, buffers.streaming(step, 0), dq);
  }
  simt::wait_copies<0>();
  simt::sync_block();  // without keys, q may still be being copied to the tile that store_rows uses

  store_rows<kDim>(dq, problem.scale, q_tile, place.query_head(problem, call.dq, place.head), row,
                   problem.packs);
}

template <int kDim>
__global__ void __launch_bounds__(kWarpThreads, 2) backward_keys(AttentionBackward<bf16> call) {
  using T = Tiles<kDim>;
  const AttentionProblem& problem = call.problem;
  const AttentionPlace place = place_of_block(problem, problem.kv_heads);
  const int first = key_tile_of_block() * T::kRows;
  if (first >= place.k_rows) return;
  // A step is a tile of queries of one head; causal tiles before the keys see none of them.
  const int first_query = problem.causal ? first / T::kStep * T::kStep : 0;
  const int tiles = (place.q_rows - first_query + T::kStep - 1) / T::kStep;
  const int steps = tiles * place.group;
  const auto head_of = [&](int step) { return place.head * place.group + step / tiles; };
  const auto query_of = [&](int step) { return first_query + step % tiles * T::kStep; };
  const Buffers<kDim> buffers;
  const auto start = [&](int step) {
    copy_rows<kDim, T::kStep>(place.query_head(problem, call.q, head_of(step)), query_of(step),
                              problem.packs, buffers.streaming(step, 0));
    copy_rows<kDim, T::kStep>(place.query_head(problem, call.dout, head_of(step)), query_of(step),
                              problem.packs, buffers.streaming(step, 1));
    simt::commit_copies();
  };

  const int offset = warp_of_block() * T::kWarpRows, row = first + offset;  // the warp's first
  const float scale = problem.scale * kLog2E;
  copy_rows<kDim, T::kRows>(place.key_head(problem, call.k, place.head), first, problem.packs,
                            buffers.staying(0));
  copy_rows<kDim, T::kRows>(place.key_head(problem, call.v, place.head), first, problem.packs,
                            buffers.staying(1));
  simt::commit_copies();
  if (steps > 0) start(0);
  bf16* const k_tile = buffers.staying(0) + offset * kTileStride<kDim>;
  bf16* const v_tile = buffers.staying(1) + offset * kTileStride<kDim>;
  typename T::Results dk = {}, dv = {};
  for (int step = 0; step < steps; ++step) {
    simt::wait_copies<0>();
    simt::sync_block();  // this step's tiles have arrived, the last step's are no longer read
    if (step + 1 < steps) start(step + 1);
    const int query = query_of(step);
    if (row >= place.k_rows || (problem.causal && query + T::kStep <= row)) continue;
    const float* const lse = call.lse + place.row_values(problem, head_of(step)) + query;
    const float* const delta = call.delta + place.row_values(problem, head_of(step)) + query;
    typename T::Scores weights, dscores;
    products_of_rows<kDim>(k_tile, buffers.streaming(step, 0), weights);
    products_of_rows<kDim>(v_tile, buffers.streaming(step, 1), dscores);
    for_each_score<T::kBlocks, T::kStepColumns>([&](int m, int n, int i, int r, int c) {
      const bool seen = query + c < place.q_rows && !(problem.causal && row + r > query + c);
      float& p = weights[m][n][i];
      p = seen ? simt::fast_exp2(p * scale - lse[c] * kLog2E) : 0.0f;
      dscores[m][n][i] = seen ? p * (dscores[m][n][i] - delta[c]) : 0.0f;
    });
    add_weighted_rows<kDim>(weights, buffers.streaming(step, 1), dv);
    add_weighted_rows<kDim>(dscores, buffers.streaming(step, 0), dk);
  }
  simt::wait_copies<0>();
  simt::sync_block();  // without queries, the tiles that store_rows uses may still be being copied

  store_rows<kDim>(dv, 1.0f, v_tile, place.key_head(problem, call.dv, place.head), row,
                   problem.packs);
  store_rows<kDim>(dk, problem.scale, k_tile, place.key_head(problem, call.dk, place.head), row,
                   problem.packs);
}

}  // namespace

void backward_on_tensor_cores(const Stream& stream, const AttentionBackward<bf16>& call) {
  const AttentionProblem& problem = call.problem;
  for_tile_width(problem.head_dim, [&](auto width) {
    using T = Tiles<width>;
    simt::launch(backward_queries<width>,
                 attention_grid(problem, problem.heads, problem.most_queries, T::kRows),
                 kWarpThreads, T::kSharedBytes, stream, call);
    simt::launch(backward_keys<width>,
                 attention_grid(problem, problem.kv_heads, problem.most_keys, T::kRows),
                 kWarpThreads, T::kSharedBytes, stream, call);
  });
}

}  // namespace lynceus::kernels::cuda
