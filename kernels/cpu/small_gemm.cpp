// A register tile of c at a time: each step of k multiplies one vector row of b by a broadcast
// element of every row of a (Goto, van de Geijn 2008, without the packing). See small_gemm.h.
#include "kernels/cpu/small_gemm.h"

#include <algorithm>

#include "kernels/cpu/instruction_set.h"

namespace lynceus::kernels::cpu {
namespace {

template <int kWidth>
struct Vector {
  typedef float Type __attribute__((vector_size(kWidth * sizeof(float))));
  typedef float Unaligned
      __attribute__((vector_size(kWidth * sizeof(float)), aligned(4), may_alias));
};

/// c rows [row, row + kRows), columns [col, col + kVectors · kWidth), cut at n.
template <int kWidth, int kRows, int kVectors>
[[gnu::always_inline]] inline void tile(const SmallGemm& p, int64_t row, int64_t col) {
  using Type = typename Vector<kWidth>::Type;
  using Unaligned = typename Vector<kWidth>::Unaligned;
  Type sums[kRows][kVectors] = {};
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + col;
  for (int64_t i = 0; i < p.k; ++i, a += p.a_col, b += p.b_row) {
    Type b_row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      b_row[v] = *reinterpret_cast<const Unaligned*>(b + v * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Type factor = a[r * p.a_row] - Type{};
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

template <int kWidth, int kRows>
[[gnu::always_inline]] inline void tile_row(const SmallGemm& p, int64_t row) {
  int64_t col = 0;
  for (; p.n - col > kWidth; col += 2 * kWidth) tile<kWidth, kRows, 2>(p, row, col);
  if (col < p.n) tile<kWidth, kRows, 1>(p, row, col);
}

/// kRows · 2 accumulators, 2 vectors of b and a broadcast fill the register file.
template <int kWidth, int kRows>
[[gnu::always_inline]] inline void multiply(const SmallGemm& p) {
  int64_t row = 0;
  for (; row + kRows <= p.m; row += kRows) tile_row<kWidth, kRows>(p, row);
  if (p.m - row >= kRows / 2) {
    tile_row<kWidth, kRows / 2>(p, row);
    row += kRows / 2;
  }
  for (; row + 2 <= p.m; row += 2) tile_row<kWidth, 2>(p, row);
  if (row < p.m) tile_row<kWidth, 1>(p, row);
}

LYNCEUS_AVX512 void multiply_avx512(const SmallGemm& p) { multiply<16, 12>(p); }

}  // namespace

void small_gemm(const SmallGemm& problem) {
  if (has_avx512()) return multiply_avx512(problem);
  multiply<8, 6>(problem);
}

}  // namespace lynceus::kernels::cpu
