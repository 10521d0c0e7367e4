// Products of matrices that fit a core's cache, on the calling thread: what attention does once a
// head and sequence, where the library's call costs as much as its arithmetic.
#pragma once

#include <cstdint>

namespace lynceus::kernels::cpu {

/// Columns of b and of padded rows come in groups of this many floats.
constexpr int64_t kLane = 16;
constexpr int64_t round_to_lane(int64_t n) { return (n + kLane - 1) / kLane * kLane; }

struct SmallGemm {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  ///< a(row, i) = a[row · a_row + i · a_col]: a transpose is free
  int64_t a_row = 0, a_col = 0;
  const float* b = nullptr;  ///< b(i, col) = b[i · b_row + col]; read up to round_to_lane(n) columns
  int64_t b_row = 0;
  float* c = nullptr;  ///< c(row, col) = c[row · c_row + col]; only [m, n] is written
  int64_t c_row = 0;
  float alpha = 1;
  bool accumulate = false;
};

/// c = alpha · a·b, or `+=`. Every element sums over k in order.
void small_gemm(const SmallGemm& problem);

}  // namespace lynceus::kernels::cpu
