// f32 matrix products on all threads of the CPU, with an epilogue that runs while the result is in
// cache. Arguments are already checked.
//
// oneDNN's sgemm does the arithmetic. It runs at full speed on one thread but splits short and
// narrow products badly among several, so the split is done here: a grid of tiles, one per thread.
// Some shallow products use kernels/cpu/blocked_gemm.h instead.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

/// A row-major operand, read directly or transposed.
struct GemmOperand {
  const float* data = nullptr;
  int64_t stride = 0;  ///< elements between the starts of successive rows
  bool transposed = false;
};

/// Applied to each element of the result: c = act(c + bias).
struct GemmEpilogue {
  const float* bias = nullptr;  ///< [n], null: none
  bool gelu = false;
};
/// The epilogue of `count` elements of a row of c, from column `col` on.
void finish_row(const GemmEpilogue& epilogue, int64_t col, int64_t count, float* values);

/// c [m, n] = a [m, k] · b [k, n], or `+=` with `accumulate`; then the epilogue. c is row-major
/// with rows n apart. For k = 0 the product is zero. The same call with the same number of threads
/// gives the same bits.
void gemm(const Stream& stream, int64_t m, int64_t n, int64_t k, const GemmOperand& a,
          const GemmOperand& b, bool accumulate, float* c, const GemmEpilogue& epilogue = {});

/// target [cols, rows] = the transpose of source [rows, cols]; target's rows are `stride` elements
/// apart.
void transpose(int64_t rows, int64_t cols, const float* source, float* target, int64_t stride);

}  // namespace lynceus::kernels::cpu
