// One thread's tile of a product, in blocks that stay in its second-level cache (Goto, van de
// Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 2008). For products in which
// the library's splitting or copying costs more than the arithmetic.
#pragma once

#include <cstdint>

#include "kernels/cpu/gemm.h"

namespace lynceus::kernels::cpu {

/// The longest sum of one pass: a product with k up to this reads and writes c once.
constexpr int64_t kBlockDepth = 256;
/// Size of the workspace in floats.
int64_t blocked_gemm_workspace();

/// c [m, n] = a [m, k] · b [k, n], or `+=` with `accumulate`. b is not transposed; rows of c are
/// c_row elements apart.
struct BlockedGemm {
  int64_t m = 0, n = 0, k = 0;
  GemmOperand a, b;
  bool accumulate = false;
  float* c = nullptr;
  int64_t c_row = 0;
};
/// Runs on the calling thread. `workspace`: aligned to 64 bytes, not shared with other threads.
void blocked_gemm(const BlockedGemm& problem, float* workspace);

}  // namespace lynceus::kernels::cpu
