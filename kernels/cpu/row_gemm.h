// Products with a constant right operand in which no row of the result depends on the others: every
// element sums over k in an order that follows from k alone, so it has the same bits for any number
// of rows and threads. Generation needs that: which rows are computed together is chance there.
//
// The operand lies in panels of kPanel columns, each [k, kPanel], so that few rows (one token each
// of some sequences) read it once, in the order of memory.
#pragma once

#include <cstdint>

#include "core/tensor.h"
#include "kernels/cpu/gemm.h"

namespace lynceus::kernels::cpu {

/// w [n, k] (f32 or bf16) as panels [n / kPanel, k, kPanel] of the same type, the last one padded
/// with zeros.
Tensor pack_panels(const Stream& stream, const Tensor& w);

/// c [m, n] = a [m, k] · the packed wᵀ, then the epilogue. a, c f32, row-major and dense. k is cut
/// into `parts` equal parts, a power of two that divides it, whose sums are added in pairs, the
/// pairs in pairs and so on: ranks that hold consecutive parts of k and add their results in the
/// same way get the same bits.
void row_gemm(const Stream& stream, int64_t m, int64_t n, int64_t k, int64_t parts, const Tensor& a,
              const Tensor& panels, const Tensor& c, const GemmEpilogue& epilogue);

}  // namespace lynceus::kernels::cpu
