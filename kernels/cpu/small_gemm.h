// Products of matrices that fit into a core's cache, on the calling thread: attention does them
// once per head and sequence, where a call of the library costs as much as its arithmetic.
#pragma once

#include <cstdint>

#include "kernels/cpu/instruction_set.h"

namespace lynceus::kernels::cpu {

/// Columns of b and of padded rows come in groups of this many floats.
constexpr int64_t kLane = 16;
constexpr int64_t round_to_lane(int64_t n) { return (n + kLane - 1) / kLane * kLane; }

/// A register tile: this many rows (half of them without AVX-512) ...
constexpr int64_t kTileRows = 12;
/// ... and columns.
constexpr int64_t kPanel = 2 * kLane;
constexpr int64_t round_to_panel(int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

struct SmallGemm {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  ///< a(row, i) = a[row · a_row + i · a_col]: a transpose is free
  int64_t a_row = 0, a_col = 0;
  const float* b =
      nullptr;  ///< b(i, col) = b[i · b_row + col]; read up to round_to_lane(n) columns
  int64_t b_row = 0;
  int64_t b_panel = 0;  ///< 0: as above; else columns are in panels of kPanel, this far apart:
                        ///< b(i, col) = b[col / kPanel · b_panel + i · b_row + col % kPanel]
  float* c = nullptr;   ///< c(row, col) = c[row · c_row + col]; only [m, n] is written
  int64_t c_row = 0;
  float alpha = 1;
  bool accumulate = false;
};

/// c = alpha · a·b, or `+=`. Every element sums over k in order. `avx512`: tests choose the other
/// code path.
void small_gemm(const SmallGemm& problem, bool avx512 = has_avx512());

/// target = the transpose of source [rows, cols], then zeros, in panels: the columns' panels of
/// [cols, kPanel], round_to_panel(rows) · cols floats in all.
void pack_transposed(int64_t rows, int64_t cols, const float* source, int64_t stride,
                     float* target);

/// target [rows, round_to_lane(cols)] = source [rows, cols], then zeros.
void pack(int64_t rows, int64_t cols, const float* source, int64_t stride, float* target);

}  // namespace lynceus::kernels::cpu
