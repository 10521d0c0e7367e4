// The common part of the attention kernels: their arguments, and how a block finds its sequence,
// head and tile. attention.cu chooses between:
//
//   attention_f32.cu                              plain arithmetic in f32, any head_dim
//   attention_forward.cu, attention_backward.cu   bf16 on the tensor cores, head_dim up to 128
//
// A block computes one tile of queries of one head (out, dq) or one tile of keys of one key head
// (dk, dv), so that every sum has one writer and a fixed order. The grid is [sequences · heads,
// maximum tiles of a sequence]. Blocks for tiles that a sequence does not have return at once. If
// causality makes tiles unequal, the long ones start first.
#pragma once

#include "kernels/attention.h"
#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {

/// The arguments of a call that every kernel needs.
struct AttentionProblem {
  const int32_t* q_begin;  // [sequences + 1]
  const int32_t* k_begin;  // [sequences + 1]
  int64_t sequences;
  int64_t tokens_q;
  int64_t most_queries, most_keys;  // maximum over the sequences
  int heads, kv_heads, head_dim;
  float scale;
  bool causal;
  bool packs;  // rows of q, k, v, out and their gradients can be read 16 bytes at once
};

template <typename T>
struct AttentionForward {
  AttentionProblem problem;
  const T* q;
  const T* k;
  const T* v;
  T* out;
  float* lse;  // null: not wanted
};

template <typename T>
struct AttentionBackward {
  AttentionProblem problem;
  const T* q;
  const T* k;
  const T* v;
  const T* dout;
  const float* lse;
  const float* delta;  // [heads, tokens_q]: the sum over a row of dout · out
  T* dq;
  T* dk;
  T* dv;
};

/// In f32 arithmetic. T: float, __nv_bfloat16.
template <typename T>
void forward_in_f32(const Stream& stream, const AttentionForward<T>& call);
template <typename T>
void backward_in_f32(const Stream& stream, const AttentionBackward<T>& call);

constexpr int kLargestTensorCoreHead = 128;

void forward_on_tensor_cores(const Stream& stream, const AttentionForward<__nv_bfloat16>& call);
void backward_on_tensor_cores(const Stream& stream, const AttentionBackward<__nv_bfloat16>& call);

LYNCEUS_DEVICE int smaller(int a, int b) { return a < b ? a : b; }

/// One head of one sequence in a packed tensor.
template <typename T>
struct HeadRows {
  T* data;         // the first row
  int64_t stride;  // elements between the starts of successive rows
  int rows;
  int columns;  // head_dim
  LYNCEUS_DEVICE T* row(int index) const { return data + index * stride; }
};

/// The sequence, head and tile of a block.
struct AttentionPlace {
  int q_first, k_first;  // the sequence's first rows in the packed tensors
  int q_rows, k_rows;
  int head;   // of the tensor that the grid's tiles divide
  int group;  // query heads that read one key head

  template <typename T>
  LYNCEUS_DEVICE HeadRows<T> query_head(const AttentionProblem& problem, T* tensor, int at) const {
    const int64_t stride = int64_t{problem.heads} * problem.head_dim;
    return {tensor + q_first * stride + at * problem.head_dim, stride, q_rows, problem.head_dim};
  }
  template <typename T>
  LYNCEUS_DEVICE HeadRows<T> key_head(const AttentionProblem& problem, T* tensor, int at) const {
    const int64_t stride = int64_t{problem.kv_heads} * problem.head_dim;
    return {tensor + k_first * stride + at * problem.head_dim, stride, k_rows, problem.head_dim};
  }
  /// The offset in lse and delta of a query head for this sequence.
  LYNCEUS_DEVICE int64_t row_values(const AttentionProblem& problem, int at) const {
    return at * problem.tokens_q + q_first;
  }
};

LYNCEUS_DEVICE AttentionPlace place_of_block(const AttentionProblem& problem, int heads) {
  const int sequence = static_cast<int>(blockIdx.x) / heads;
  const int32_t* const q = problem.q_begin + sequence;
  const int32_t* const k = problem.k_begin + sequence;
  return {q[0],
          k[0],
          q[1] - q[0],
          k[1] - k[0],
          static_cast<int>(blockIdx.x) % heads,
          problem.heads / problem.kv_heads};
}

/// The number of keys that at least one of `rows` rows of queries from `first` on sees.
LYNCEUS_DEVICE int keys_seen(const AttentionProblem& problem, const AttentionPlace& place,
                             int first, int rows) {
  if (first >= place.q_rows) return 0;
  return problem.causal ? smaller(place.k_rows, first + rows) : place.k_rows;
}

/// The tile of queries, in reverse order, since later causal rows see more keys.
LYNCEUS_DEVICE int query_tile_of_block() { return static_cast<int>(gridDim.y - 1 - blockIdx.y); }
/// The tile of keys, in order, since more rows see the earlier causal keys.
LYNCEUS_DEVICE int key_tile_of_block() { return static_cast<int>(blockIdx.y); }

/// The grid for tiles of `tile` rows and at most `most` rows in a sequence.
inline dim3 attention_grid(const AttentionProblem& problem, int heads, int64_t most, int tile) {
  const unsigned tiles = blocks_for(most, tile);
  constexpr unsigned kMostTiles = 65535;
  LYNCEUS_CHECK(tiles <= kMostTiles, "attention over a sequence of {} rows", most);
  return {static_cast<unsigned>(problem.sequences * heads), tiles, 1};
}

}  // namespace lynceus::kernels::cuda
