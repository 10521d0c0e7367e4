// The matrix unit by PTX's formulas: what a device computes with fragments laid out by them, and
// what its loads of matrices bring. On the shim and on a GPU the answers are the same, or one of
// the two lays fragments out in another way.
#pragma once

#include "core/stream.h"
#include "core/tensor.h"

namespace lynceus::simt {

/// Of mma.m16n8k16.
constexpr int kRows = 16, kColumns = 8, kDepth = 16;

/// c [16, 8] + a [16, 16] · b [16, 8], f32 that are bf16: each thread takes from memory the
/// elements that the formulas give it.
Tensor product_of_fragments(const Stream& stream, const Tensor& a, const Tensor& b,
                            const Tensor& c);

/// a · b, the fragments loaded from shared memory: a as its rows lie, b transposed.
Tensor product_of_tiles(const Stream& stream, const Tensor& a, const Tensor& b);

/// What a warp loads of four matrices whose elements are 100 · matrix + 10 · row + column:
/// registers [2, lane, 4], as it lies and transposed, two elements of 16 bits in each.
Tensor loaded_both_ways(const Stream& stream);

}  // namespace lynceus::simt
