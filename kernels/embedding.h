// Token embedding of a vocabulary shard, and moves of rows between packed layouts. Rows are f32 or
// bf16 (moved rows of any type), gradients of tables f32.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// y[r, :] = table[token_ids[r] − vocab_begin, :], zero if the id is outside this shard or negative
/// (a visual token).  token_ids i32 [rows], table [vocab_local, width], y [rows, width].
void embedding_forward(const Stream& stream, const Tensor& token_ids, const Tensor& table,
                       int64_t vocab_begin, const Tensor& y);

/// dtable[token_ids[r] − vocab_begin, :] += dy[r, :] for the ids of this shard, in row order.
void embedding_backward(const Stream& stream, const Tensor& token_ids, const Tensor& dy,
                        int64_t vocab_begin, const Tensor& dtable);

/// y[i, :] = x[rows[i], :].  rows i32 [n], checked on CPUs only.
void gather_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y);

/// y[rows[i], :] = x[i, :]; other rows of y are unchanged. rows are distinct.
void scatter_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y);

}  // namespace lynceus::kernels
