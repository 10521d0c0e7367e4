// The CPU side of kernels/gemm.h: one matrix product on all threads, with what comes after it done
// while the result is in cache. Arguments are already checked.
//
// oneDNN's sgemm does the arithmetic. It runs at full speed on one thread but cuts short and narrow
// products badly among several, so the cutting is done here: a grid of tiles, one a thread. Shallow
// products go through our own blocks (kernels/cpu/blocked_gemm.h).
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

/// A row-major operand, read as it lies or transposed.
struct GemmOperand {
  const float* data = nullptr;
  int64_t stride = 0;  ///< elements from one row in memory to the next
  bool transposed = false;
};

/// What happens to an element of the result: c = act(c + bias).
struct GemmEpilogue {
  const float* bias = nullptr;  ///< [n], null: none
  bool gelu = false;
};

/// c [m, n] = a [m, k] · b [k, n], or `+=` with `accumulate`; then the epilogue. c is row-major
/// with rows n apart. k = 0 counts as a product of zeros. The same call with the same number of
/// threads gives the same bits.
void gemm(const Stream& stream, int64_t m, int64_t n, int64_t k, const GemmOperand& a,
          const GemmOperand& b, bool accumulate, float* c, const GemmEpilogue& epilogue = {});

/// target [cols, rows] = the transpose of source [rows, cols]; target's rows lie `stride` apart.
void transpose(int64_t rows, int64_t cols, const float* source, float* target, int64_t stride);

}  // namespace lynceus::kernels::cpu
