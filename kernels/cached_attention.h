// Softmax attention of new rows over keys and values that a cache holds. A row of the cache belongs
// to one token; each sequence lists the rows that are its keys, so that sequences share rows (a
// prompt has one copy for all its beams) and a change of their order moves no row.
//
// q, out [tokens, heads · head_dim], both f32 or both bf16; the caches k, v [capacity, kv_heads ·
// head_dim], both f32 or both bf16. Query head h reads key head h / (heads / kv_heads). Sums run in
// f32. A row of `out` depends on its own query and keys only: not on other sequences, threads or
// where its keys lie.
#pragma once

#include "kernels/attention.h"

namespace lynceus::kernels {

/// The keys of sequences, one sequence after the other: sequence s has the cache rows
/// rows[begin[s]] to rows[begin[s + 1]], in the order of its tokens.
struct CachedKeys {
  Tensor rows;  // i32 [keys], checked on CPUs only
  CumulativeLengths begin;
};

/// out = softmax(scale · q·kᵀ) · v. Sequence s owns the query rows q_begin[s] to q_begin[s + 1],
/// which belong to its last keys: of n queries and m keys, query i sees the keys 0 to m − n + i.
/// shape.causal is not read.
void cached_attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                              const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                              const CachedKeys& keys, const Tensor& out);

}  // namespace lynceus::kernels
