// Attention in f32 arithmetic: for f32 tensors, so that results equal those of the CPU kernels up
// to rounding, and for bf16 heads too large for the tensor-core kernels. Any head_dim.
//
// A block computes a tile of 64 rows, 16 x 16 threads with 4 x 4 elements each. Products load their
// operands through shared memory in chunks of 64 columns. A block computes up to 128 columns of a
// result; larger heads are split over blocks, each of which computes the scores itself. Forward is
// the online softmax (Milakov, Gimelshein 2018); backward recomputes the probabilities from lse.
#include "kernels/cuda/attention_paths.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kTile = 64;             // rows of a tile, columns of a chunk
constexpr int kSide = 16;             // threads along either side of a tile
constexpr int kEach = kTile / kSide;  // a thread's elements along either side
constexpr int kThreads = kSide * kSide;
constexpr int kChunks = 2;  // of a result, per block
constexpr float kInfinity = INFINITY;

/// One column more, so that rows begin in different banks.
struct Tile {
  float at[kTile][kTile + 1];
};

struct Shared {
  Tile left, right;  // operands of the current product
  Tile weights, gradients;
};
constexpr size_t kForwardBytes = 3 * sizeof(Tile);
constexpr size_t kBackwardBytes = sizeof(Shared);

/// A thread's part of a tile: element [i][j] is in row row_of(i), column column_of(j).
struct Part {
  float at[kEach][kEach] = {};
};
LYNCEUS_DEVICE int row_of(int i) { return static_cast<int>(threadIdx.x) / kSide + i * kSide; }
LYNCEUS_DEVICE int column_of(int j) { return static_cast<int>(threadIdx.x) % kSide + j * kSide; }

/// compute(i, j) for all elements of a part.
template <typename Compute>
LYNCEUS_DEVICE void for_each_element(Compute compute) {
#pragma unroll
  for (int i = 0; i < kEach; ++i)
#pragma unroll
    for (int j = 0; j < kEach; ++j) compute(i, j);
}

/// The sum over a row of a tile: over the 16 threads that share it, half a warp.
LYNCEUS_DEVICE float row_sum(float value) {
#pragma unroll
  for (int distance = kSide / 2; distance > 0; distance /= 2)
    value += simt::shuffle_xor(value, distance);
  return value;
}
LYNCEUS_DEVICE float row_max(float value) {
#pragma unroll
  for (int distance = kSide / 2; distance > 0; distance /= 2)
    value = fmaxf(value, simt::shuffle_xor(value, distance));
  return value;
}

/// tile = 64 rows and columns of a head from (row, column) on, zeros outside of it.
template <typename T>
LYNCEUS_DEVICE void load(const HeadRows<T>& head, int row, int column, Tile& tile) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kTile; i += kThreads) {
    const int r = i / kTile, c = i % kTile;
    const bool inside = row + r < head.rows && column + c < head.columns;
    tile.at[r][c] = inside ? to_float(head.row(row + r)[column + c]) : 0.0f;
  }
}

LYNCEUS_DEVICE void store(const Part& part, Tile& tile) {
  for_each_element([&](int i, int j) { tile.at[row_of(i)][column_of(j)] = part.at[i][j]; });
}

/// Writes scale · part to a head, from (row, column) on.
template <typename T>
LYNCEUS_DEVICE void store(const Part& part, float scale, const HeadRows<T>& head, int row,
                          int column) {
  for_each_element([&](int i, int j) {
    const int r = row + row_of(i), c = column + column_of(j);
    if (r < head.rows && c < head.columns) head.row(r)[c] = from_float<T>(scale * part.at[i][j]);
  });
}

/// Σ over a row's columns of a · b, for 64 rows of each: the tile a · bᵀ.
template <typename T>
LYNCEUS_DEVICE Part products_of_rows(const HeadRows<T>& a, int a_row, const HeadRows<T>& b,
                                     int b_row, Shared& shared) {
  Part part;
  for (int column = 0; column < a.columns; column += kTile) {
    simt::sync_block();
    load(a, a_row, column, shared.left);
    load(b, b_row, column, shared.right);
    simt::sync_block();
    const int depth = smaller(kTile, a.columns - column);
    for (int k = 0; k < depth; ++k) {
      float left[kEach], right[kEach];
#pragma unroll
      for (int i = 0; i < kEach; ++i) left[i] = shared.left.at[row_of(i)][k];
#pragma unroll
      for (int j = 0; j < kEach; ++j) right[j] = shared.right.at[column_of(j)][k];
      for_each_element([&](int i, int j) { part.at[i][j] += left[i] * right[j]; });
    }
  }
  return part;
}

/// results += weights · the rows of b from `row` on, a block's columns of them.
template <typename T>
LYNCEUS_DEVICE void add_weighted_rows(const Tile& weights, const HeadRows<T>& b, int row,
                                      int column, Shared& shared, Part (&results)[kChunks]) {
  const int depth = smaller(kTile, b.rows - row);
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    if (column + chunk * kTile >= b.columns) break;
    simt::sync_block();
    load(b, row, column + chunk * kTile, shared.right);
    simt::sync_block();
    for (int k = 0; k < depth; ++k) {
      float left[kEach], right[kEach];
#pragma unroll
      for (int i = 0; i < kEach; ++i) left[i] = weights.at[row_of(i)][k];
#pragma unroll
      for (int j = 0; j < kEach; ++j) right[j] = shared.right.at[k][column_of(j)];
      for_each_element([&](int i, int j) { results[chunk].at[i][j] += left[i] * right[j]; });
    }
  }
}

LYNCEUS_DEVICE int first_column_of_block() {
  return static_cast<int>(blockIdx.z) * kChunks * kTile;
}

/// The running maximum and sum of a thread's rows of scores.
struct OnlineSoftmax {
  float maximum[kEach], sum[kEach];

  LYNCEUS_DEVICE OnlineSoftmax() {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      maximum[i] = -kInfinity;
      sum[i] = 0;
    }
  }
  /// Converts scores to weights relative to the new maximum, and rescales the results.
  LYNCEUS_DEVICE void take(Part& scores, Part (&results)[kChunks]) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      float largest = maximum[i];
#pragma unroll
      for (int j = 0; j < kEach; ++j) largest = fmaxf(largest, scores.at[i][j]);
      largest = row_max(largest);
      const float base = largest == -kInfinity ? 0.0f : largest;
      const float correction = expf(maximum[i] - base);
      float added = 0;
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        scores.at[i][j] = expf(scores.at[i][j] - base);
        added += scores.at[i][j];
      }
      sum[i] = sum[i] * correction + row_sum(added);
      maximum[i] = largest;
#pragma unroll
      for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
        for (int j = 0; j < kEach; ++j) results[chunk].at[i][j] *= correction;
    }
  }
};

template <typename T>
__global__ void __launch_bounds__(kThreads) forward(AttentionForward<T> call) {
  const AttentionProblem& problem = call.problem;
  const AttentionPlace place = place_of_block(problem, problem.heads);
  const int first = query_tile_of_block() * kTile, column = first_column_of_block();
  if (first >= place.q_rows) return;
  const auto q = place.query_head(problem, call.q, place.head);
  const auto k = place.key_head(problem, call.k, place.head / place.group);
  const auto v = place.key_head(problem, call.v, place.head / place.group);
  const auto out = place.query_head(problem, call.out, place.head);
  auto& shared = *simt::dynamic_shared<Shared>();

  const int keys = keys_seen(problem, place, first, kTile);
  OnlineSoftmax softmax;
  Part results[kChunks];
  for (int key = 0; key < keys; key += kTile) {
    Part scores = products_of_rows(q, first, k, key, shared);
    for_each_element([&](int i, int j) {
      const int at = key + column_of(j);
      const bool seen = at < place.k_rows && !(problem.causal && at > first + row_of(i));
      scores.at[i][j] = seen ? scores.at[i][j] * problem.scale : -kInfinity;
    });
    softmax.take(scores, results);
    store(scores, shared.weights);
    add_weighted_rows(shared.weights, v, key, column, shared, results);
  }

#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const float inverse = softmax.sum[i] == 0 ? 0.0f : 1.0f / softmax.sum[i];
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk)
#pragma unroll
      for (int j = 0; j < kEach; ++j) results[chunk].at[i][j] *= inverse;
    const int row = first + row_of(i);
    if (call.lse != nullptr && column == 0 && column_of(0) == 0 && row < place.q_rows)
      call.lse[place.row_values(problem, place.head) + row] =
          softmax.maximum[i] + logf(softmax.sum[i]);
  }
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk)
    store(results[chunk], 1.0f, out, first, column + chunk * kTile);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) backward_queries(AttentionBackward<T> call) {
  const AttentionProblem& problem = call.problem;
  const AttentionPlace place = place_of_block(problem, problem.heads);
  const int first = query_tile_of_block() * kTile, column = first_column_of_block();
  if (first >= place.q_rows) return;
  const auto q = place.query_head(problem, call.q, place.head);
  const auto dout = place.query_head(problem, call.dout, place.head);
  const auto k = place.key_head(problem, call.k, place.head / place.group);
  const auto v = place.key_head(problem, call.v, place.head / place.group);
  const float* const lse = call.lse + place.row_values(problem, place.head);
  const float* const delta = call.delta + place.row_values(problem, place.head);
  auto& shared = *simt::dynamic_shared<Shared>();

  const int keys = keys_seen(problem, place, first, kTile);
  Part dq[kChunks];
  for (int key = 0; key < keys; key += kTile) {
    Part scores = products_of_rows(q, first, k, key, shared);
    const Part dweights = products_of_rows(dout, first, v, key, shared);
    for_each_element([&](int i, int j) {
      const int row = first + row_of(i), at = key + column_of(j);
      const bool seen = row < place.q_rows && at < place.k_rows && !(problem.causal && at > row);
      scores.at[i][j] =
          seen ? expf(scores.at[i][j] * problem.scale - lse[row]) * (dweights.at[i][j] - delta[row])
               : 0.0f;
    });
    store(scores, shared.gradients);
    add_weighted_rows(shared.gradients, k, key, column, shared, dq);
  }
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk)
    store(dq[chunk], problem.scale, place.query_head(problem, call.dq, place.head), first,
          column + chunk * kTile);
}

// The tiles are transposed here: a row is a key, a column a query.
template <typename T>
__global__ void __launch_bounds__(kThreads) backward_keys(AttentionBackward<T> call) {
  const AttentionProblem& problem = call.problem;
  const AttentionPlace place = place_of_block(problem, problem.kv_heads);
  const int first = key_tile_of_block() * kTile, column = first_column_of_block();
  if (first >= place.k_rows) return;
  const auto k = place.key_head(problem, call.k, place.head);
  const auto v = place.key_head(problem, call.v, place.head);
  auto& shared = *simt::dynamic_shared<Shared>();

  Part dk[kChunks], dv[kChunks];
  for (int head = place.head * place.group; head < (place.head + 1) * place.group; ++head) {
    const auto q = place.query_head(problem, call.q, head);
    const auto dout = place.query_head(problem, call.dout, head);
    const float* const lse = call.lse + place.row_values(problem, head);
    const float* const delta = call.delta + place.row_values(problem, head);
    for (int query = problem.causal ? first : 0; query < place.q_rows; query += kTile) {
      Part weights = products_of_rows(k, first, q, query, shared);
      Part gradients = products_of_rows(v, first, dout, query, shared);
      for_each_element([&](int i, int j) {
        const int row = first + row_of(i), at = query + column_of(j);
        const bool seen = row < place.k_rows && at < place.q_rows && !(problem.causal && row > at);
        const float weight = seen ? expf(weights.at[i][j] * problem.scale - lse[at]) : 0.0f;
        weights.at[i][j] = weight;
        gradients.at[i][j] = seen ? weight * (gradients.at[i][j] - delta[at]) : 0.0f;
      });
      store(weights, shared.weights);
      store(gradients, shared.gradients);
      add_weighted_rows(shared.weights, dout, query, column, shared, dv);
      add_weighted_rows(shared.gradients, q, query, column, shared, dk);
    }
  }
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    const int at = column + chunk * kTile;
    store(dk[chunk], problem.scale, place.key_head(problem, call.dk, place.head), first, at);
    store(dv[chunk], 1.0f, place.key_head(problem, call.dv, place.head), first, at);
  }
}

dim3 grid_of(const AttentionProblem& problem, int heads, int64_t most) {
  dim3 grid = attention_grid(problem, heads, most, kTile);
  grid.z = blocks_for(problem.head_dim, kChunks * kTile);
  return grid;
}

}  // namespace

template <typename T>
void forward_in_f32(const Stream& stream, const AttentionForward<T>& call) {
  const AttentionProblem& problem = call.problem;
  simt::launch(forward<T>, grid_of(problem, problem.heads, problem.most_queries), kThreads,
               kForwardBytes, stream, call);
}

template <typename T>
void backward_in_f32(const Stream& stream, const AttentionBackward<T>& call) {
  const AttentionProblem& problem = call.problem;
  simt::launch(backward_queries<T>, grid_of(problem, problem.heads, problem.most_queries), kThreads,
               kBackwardBytes, stream, call);
  simt::launch(backward_keys<T>, grid_of(problem, problem.kv_heads, problem.most_keys), kThreads,
               kBackwardBytes, stream, call);
}

template void forward_in_f32(const Stream&, const AttentionForward<float>&);
template void forward_in_f32(const Stream&, const AttentionForward<__nv_bfloat16>&);
template void backward_in_f32(const Stream&, const AttentionBackward<float>&);
template void backward_in_f32(const Stream&, const AttentionBackward<__nv_bfloat16>&);

}  // namespace lynceus::kernels::cuda
