// The matrix unit with fragments laid out by the formulas of the PTX manual, and its loads of
// matrices. The results on the shim and on a GPU are equal; otherwise one of them uses another
// layout.
#pragma once

#include "core/stream.h"
#include "core/tensor.h"

namespace lynceus::simt {

/// The sizes of mma.m16n8k16.
constexpr int kRows = 16, kColumns = 8, kDepth = 16;

/// c [16, 8] + a [16, 16] · b [16, 8], f32 values that bf16 represents exactly: each thread reads
/// the elements that the formulas assign to it.
Tensor product_of_fragments(const Stream& stream, const Tensor& a, const Tensor& b,
                            const Tensor& c);

/// a · b, the fragments loaded from shared memory: a in row order, b transposed.
Tensor product_of_tiles(const Stream& stream, const Tensor& a, const Tensor& b);

/// The registers after a warp loaded four matrices whose elements are 100 · matrix + 10 · row +
/// column: [2, lane, 4], first in row order, then transposed; each register has two elements of 16
/// bits.
Tensor loaded_both_ways(const Stream& stream);

}  // namespace lynceus::simt
