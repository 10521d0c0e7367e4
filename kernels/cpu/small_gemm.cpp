// One register tile of c at a time: each step of k multiplies one vector row of b by a broadcast
// element of every row of a (Goto, van de Geijn 2008, without the packing).
#include "kernels/cpu/small_gemm.h"

#include <algorithm>

namespace lynceus::kernels::cpu {
namespace {

template <int kWidth>
struct Vector {
  typedef float Type __attribute__((vector_size(kWidth * sizeof(float))));
  typedef float Unaligned
      __attribute__((vector_size(kWidth * sizeof(float)), aligned(4), may_alias));
};

/// c rows [row, row + kRows), columns [col, col + kVectors · kWidth), cut at n. With kDense, a_row
/// is 1: then the offsets of a step's elements of a are known at compile time.
template <int kWidth, bool kDense, int kRows, int kVectors>
[[gnu::always_inline]] inline void tile(const SmallGemm& p, int64_t row, int64_t col) {
  using Type = typename Vector<kWidth>::Type;
  using Unaligned = typename Vector<kWidth>::Unaligned;
  const int64_t a_row = kDense ? 1 : p.a_row;
  Type sums[kRows][kVectors] = {};
  if (p.accumulate) {  // c may not be in cache
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      __builtin_prefetch(p.c + (row + r) * p.c_row + col, 1);
      __builtin_prefetch(p.c + (row + r) * p.c_row + col + kVectors * kWidth - 1, 1);
    }
  }
  const float* a = p.a + row * a_row;
  const float* b = p.b + (p.b_panel == 0 ? col : col / kPanel * p.b_panel + col % kPanel);
  for (int64_t i = 0; i < p.k; ++i, a += p.a_col, b += p.b_row) {
    Type b_row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      b_row[v] = *reinterpret_cast<const Unaligned*>(b + v * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Type factor = a[r * a_row] - Type{};
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * b_row[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int64_t begin = col + v * kWidth;
      float* const c = p.c + (row + r) * p.c_row + begin;
      const Type product = p.alpha * sums[r][v];
      if (begin + kWidth <= p.n) {
        Unaligned* const target = reinterpret_cast<Unaligned*>(c);
        *target = p.accumulate ? *target + product : product;
      } else {
        for (int64_t i = 0; i < p.n - begin; ++i) c[i] = (p.accumulate ? c[i] : 0.0f) + product[i];
      }
    }
  }
}

template <int kWidth, bool kDense, int kRows>
[[gnu::always_inline]] inline void tile_row(const SmallGemm& p, int64_t row) {
  int64_t col = 0;
  for (; p.n - col > kWidth; col += 2 * kWidth) tile<kWidth, kDense, kRows, 2>(p, row, col);
  if (col < p.n) tile<kWidth, kDense, kRows, 1>(p, row, col);
}

/// kRows · 2 accumulators, 2 vectors of b and a broadcast fill the register file.
template <int kWidth, bool kDense, int kRows>
[[gnu::always_inline]] inline void multiply(const SmallGemm& p) {
  int64_t row = 0;
  for (; row + kRows <= p.m; row += kRows) tile_row<kWidth, kDense, kRows>(p, row);
  if (p.m - row >= kRows / 2) {
    tile_row<kWidth, kDense, kRows / 2>(p, row);
    row += kRows / 2;
  }
  for (; row + 2 <= p.m; row += 2) tile_row<kWidth, kDense, 2>(p, row);
  if (row < p.m) tile_row<kWidth, kDense, 1>(p, row);
}

using Eight = Vector<8>::Type;
using EightUnaligned = Vector<8>::Unaligned;

/// The transpose of 8 × 8 elements in registers: pairs, then quadruples, then halves.
void transpose_8x8(const float* source, int64_t source_stride, float* target,
                   int64_t target_stride) {
  Eight in[8], pairs[8], quads[8];
  for (int r = 0; r < 8; ++r)
    in[r] = *reinterpret_cast<const EightUnaligned*>(source + r * source_stride);
  for (int r = 0; r < 8; r += 2) {
    pairs[r] = __builtin_shufflevector(in[r], in[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[r + 1] = __builtin_shufflevector(in[r], in[r + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int half = 0; half < 8; half += 4)
    for (int r = 0; r < 2; ++r) {
      const Eight low = pairs[half + r], high = pairs[half + r + 2];
      quads[half + 2 * r] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
      quads[half + 2 * r + 1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int r = 0; r < 4; ++r) {
    const Eight low = quads[r], high = quads[r + 4];
    *reinterpret_cast<EightUnaligned*>(target + r * target_stride) =
        __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
    *reinterpret_cast<EightUnaligned*>(target + (r + 4) * target_stride) =
        __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

LYNCEUS_AVX512 void multiply_avx512(const SmallGemm& p) {
  if (p.a_row == 1) return multiply<16, true, kTileRows>(p);
  multiply<16, false, kTileRows>(p);
}

}  // namespace

void small_gemm(const SmallGemm& problem, bool avx512) {
  if (avx512) return multiply_avx512(problem);
  if (problem.a_row == 1) return multiply<8, true, kTileRows / 2>(problem);
  multiply<8, false, kTileRows / 2>(problem);
}

void pack_transposed(int64_t rows, int64_t cols, const float* source, int64_t stride,
                     float* target) {
  const int64_t whole_cols = cols / 8 * 8;
  for (int64_t panel = 0; panel < rows; panel += kPanel, target += kPanel * cols) {
    const int64_t count = std::min(kPanel, rows - panel);
    const int64_t whole = count / 8 * 8;
    const float* const from = source + panel * stride;
    for (int64_t r = 0; r < whole; r += 8)
      for (int64_t c = 0; c < whole_cols; c += 8)
        transpose_8x8(from + r * stride + c, stride, target + c * kPanel + r, kPanel);
    for (int64_t c = 0; c < cols; ++c) {
      float* const row = target + c * kPanel;
      for (int64_t r = c < whole_cols ? whole : 0; r < count; ++r) row[r] = from[r * stride + c];
      std::fill(row + count, row + kPanel, 0.0f);
    }
  }
}

void pack(int64_t rows, int64_t cols, const float* source, int64_t stride, float* target) {
  const int64_t width = round_to_lane(cols);
  for (int64_t r = 0; r < rows; ++r, source += stride, target += width) {
    std::copy_n(source, cols, target);
    std::fill(target + cols, target + width, 0.0f);
  }
}

}  // namespace lynceus::kernels::cpu
