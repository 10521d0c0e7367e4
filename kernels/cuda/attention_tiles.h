// bf16 tiles in shared memory and their products on the matrix unit, for the tensor-core kernels of
// attention. A warp owns kBlocks x 16 rows of its block's tile and keeps all their results in
// registers, as accumulators [kBlocks][columns / 8][4] in the layout of simt.h: the result of one
// product is the left operand of the next in the same thread.
#pragma once

#include <type_traits>

#include "kernels/cuda/attention_paths.h"

namespace lynceus::kernels::cuda {

using bf16 = __nv_bfloat16;

constexpr int kBlockRows = 16;  // of the matrix unit
constexpr int kBlockColumns = 8;
constexpr int kPack = 8;  // elements of bf16 in 16 bytes
constexpr int kWarps = 4;
constexpr int kWarpThreads = kWarps * simt::kWarp;
constexpr float kLog2E = 1.44269504f;

/// The stride of a tile's rows is their length plus one pack, so that eight rows, which the matrix
/// unit reads at once, are in different banks.
template <int kDim>
constexpr int kTileStride = kDim + kPack;

/// body(integral_constant) with the tile width for a head; columns after head_dim are zero.
template <typename Body>
void for_tile_width(int head_dim, Body body) {
  if (head_dim <= 32)
    body(std::integral_constant<int, 32>());
  else if (head_dim <= 64)
    body(std::integral_constant<int, 64>());
  else if (head_dim <= 96)
    body(std::integral_constant<int, 96>());
  else
    body(std::integral_constant<int, kLargestTensorCoreHead>());
}

LYNCEUS_DEVICE int warp_of_block() { return static_cast<int>(threadIdx.x) / simt::kWarp; }

/// Starts to copy kRows rows of a head from `first` on; rows and columns outside of it become zero.
template <int kDim, int kRows>
LYNCEUS_DEVICE void copy_rows(const HeadRows<const bf16>& head, int first, bool packs, bf16* tile) {
  constexpr int kPacks = kDim / kPack;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kPacks; i += kWarpThreads) {
    const int row = i / kPacks, column = i % kPacks * kPack;
    bf16* const target = tile + row * kTileStride<kDim> + column;
    const bool inside = first + row < head.rows && column < head.columns;
    const bf16* const source = inside ? head.row(first + row) + column : head.data;
    if (packs) {
      simt::copy_async(target, source, inside);
    } else {
      for (int j = 0; j < kPack; ++j)
        target[j] = inside && column + j < head.columns ? source[j] : from_float<bf16>(0.0f);
    }
  }
}

// The position of element [half · 2 + pair] of an accumulator in its 16 x 8 block.
LYNCEUS_DEVICE int row_in_block(int half) { return simt::lane() / 4 + half * 8; }
LYNCEUS_DEVICE int column_in_block(int pair) { return simt::lane() % 4 * 2 + pair; }

/// Over the four threads that share a row of a block.
LYNCEUS_DEVICE float row_sum(float value) {
  value += simt::shuffle_xor(value, 1);
  return value + simt::shuffle_xor(value, 2);
}
LYNCEUS_DEVICE float row_max(float value) {
  value = fmaxf(value, simt::shuffle_xor(value, 1));
  return fmaxf(value, simt::shuffle_xor(value, 2));
}

LYNCEUS_DEVICE uint32_t pair_of(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

/// Two neighbouring blocks of columns at once; `right` contains both.
LYNCEUS_DEVICE void multiply_blocks(float (&low)[4], float (&high)[4], const uint32_t (&left)[4],
                                    const uint32_t (&right)[4]) {
  const uint32_t first[2] = {right[0], right[1]}, second[2] = {right[2], right[3]};
  simt::mma_bf16(low, left, first);
  simt::mma_bf16(high, left, second);
}

/// results [row, column] = Σ left[row, i] · right[column, i] over the width of the tiles, for the
/// warp's rows of `left` and kBlocks · 8 rows of `right`.
template <int kDim, int kBlocks, int kColumns>
LYNCEUS_DEVICE void products_of_rows(const bf16* left, const bf16* right,
                                     float (&results)[kBlocks][kColumns][4]) {
  constexpr int kStride = kTileStride<kDim>;
  const int lane = simt::lane();
  const bf16* const left_row = left + lane % 16 * kStride + lane / 16 * 8;
  const bf16* const right_row = right + (lane / 16 * 8 + lane % 8) * kStride + lane / 8 % 2 * 8;
#pragma unroll
  for (int m = 0; m < kBlocks; ++m)
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) results[m][n][i] = 0;
#pragma unroll 4
  for (int depth = 0; depth < kDim; depth += 16) {
    uint32_t a[kBlocks][4];
#pragma unroll
    for (int m = 0; m < kBlocks; ++m)
      simt::load_matrix(a[m], left_row + m * kBlockRows * kStride + depth);
#pragma unroll
    for (int n = 0; n < kColumns; n += 2) {
      uint32_t b[4];
      simt::load_matrix(b, right_row + n * kBlockColumns * kStride + depth);
#pragma unroll
      for (int m = 0; m < kBlocks; ++m) multiply_blocks(results[m][n], results[m][n + 1], a[m], b);
    }
  }
}

/// results += weights, rounded to bf16, · the kColumns · 8 rows of `right`.
template <int kDim, int kBlocks, int kColumns>
LYNCEUS_DEVICE void add_weighted_rows(const float (&weights)[kBlocks][kColumns][4],
                                      const bf16* right,
                                      float (&results)[kBlocks][kDim / kBlockColumns][4]) {
  constexpr int kStride = kTileStride<kDim>;
  const int lane = simt::lane();
  const bf16* const right_row = right + lane % 16 * kStride + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < kColumns; k += 2) {
    uint32_t a[kBlocks][4];
#pragma unroll
    for (int m = 0; m < kBlocks; ++m)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float(&block)[4] = weights[m][k + i / 2];
        a[m][i] = pair_of(block[i % 2 * 2], block[i % 2 * 2 + 1]);
      }
#pragma unroll
    for (int n = 0; n < kDim / kBlockColumns; n += 2) {
      uint32_t b[4];
      simt::load_matrix_transposed(b, right_row + k * kBlockColumns * kStride + n * kBlockColumns);
#pragma unroll
      for (int m = 0; m < kBlocks; ++m) multiply_blocks(results[m][n], results[m][n + 1], a[m], b);
    }
  }
}

/// Writes factor[m][half] · results to the rows of a head from `first` on, in full packs. They are
/// assembled in `tile`: the warp's rows of a tile that no other warp reads any more.
template <int kDim, int kBlocks>
LYNCEUS_DEVICE void store_rows(const float (&results)[kBlocks][kDim / kBlockColumns][4],
                               const float (&factor)[kBlocks][2], bf16* tile,
                               const HeadRows<bf16>& head, int first, bool packs) {
  constexpr int kStride = kTileStride<kDim>, kPacks = kDim / kPack;
#pragma unroll
  for (int m = 0; m < kBlocks; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      bf16* const row = tile + (m * kBlockRows + row_in_block(half)) * kStride + column_in_block(0);
#pragma unroll
      for (int n = 0; n < kDim / kBlockColumns; ++n)
        *reinterpret_cast<uint32_t*>(row + n * kBlockColumns) =
            pair_of(results[m][n][half * 2] * factor[m][half],
                    results[m][n][half * 2 + 1] * factor[m][half]);
    }
  simt::sync_warp();
  for (int i = simt::lane(); i < kBlocks * kBlockRows * kPacks; i += simt::kWarp) {
    const int row = i / kPacks, column = i % kPacks * kPack;
    if (first + row >= head.rows || column >= head.columns) continue;
    const bf16* const source = tile + row * kStride + column;
    bf16* const target = head.row(first + row) + column;
    if (packs) {
      *reinterpret_cast<Pack<bf16, kPack>*>(target) =
          *reinterpret_cast<const Pack<bf16, kPack>*>(source);
    } else {
      for (int j = 0; j < kPack && column + j < head.columns; ++j) target[j] = source[j];
    }
  }
}

/// The same with one factor for all rows.
template <int kDim, int kBlocks>
LYNCEUS_DEVICE void store_rows(const float (&results)[kBlocks][kDim / kBlockColumns][4],
                               float factor, bf16* tile, const HeadRows<bf16>& head, int first,
                               bool packs) {
  float factors[kBlocks][2];
#pragma unroll
  for (int m = 0; m < kBlocks; ++m) factors[m][0] = factors[m][1] = factor;
  store_rows<kDim>(results, factors, tile, head, first, packs);
}

}  // namespace lynceus::kernels::cuda
