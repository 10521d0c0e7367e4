// Softmax attention over packed sequences of different lengths (FlashAttention's contract: no score
// matrix leaves the kernel; backward recomputes it from the log-sum-exp).
//
// q, out, dq, dout [tokens_q, heads · head_dim]; k, v, dk, dv [tokens_k, kv_heads · head_dim]; lse
// f32 [heads, tokens_q] (natural logarithm of the sum of the exponentials of the scaled scores;
// −inf without keys, and then out is 0). All others are f32, or all bf16. heads is a multiple of
// kv_heads: query head h reads key head h / (heads / kv_heads). Sequence s owns query rows
// q_begin[s]..q_begin[s+1] and key rows k_begin[s]..k_begin[s+1]. Causal: row i of a sequence sees
// keys 0..i (equal lengths required).
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// The first rows of sequences in packed rows: i32 [sequences + 1], first 0, last = rows; on the
/// stream's device, with the same values on the host.
struct CumulativeLengths {
  Tensor device;
  std::vector<int32_t> host;

  CumulativeLengths() = default;
  CumulativeLengths(const Stream& stream, std::vector<int32_t> begins);
  int64_t sequences() const { return static_cast<int64_t>(host.size()) - 1; }
  int64_t tokens() const { return host.empty() ? 0 : host.back(); }
};

struct AttentionShape {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  float scale = 0;  ///< scores = scale · q·kᵀ; above 0
  bool causal = false;
};

/// out = softmax(scale · q·kᵀ [+ causal mask]) · v.  lse: null: not wanted.
void attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                       const CumulativeLengths& k_begin, const Tensor& out, const Tensor* lse);

/// dq, dk, dv = the gradients of the above under dout (all `=`).
void attention_backward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                        const Tensor& dout, const CumulativeLengths& q_begin,
                        const CumulativeLengths& k_begin, const Tensor& dq, const Tensor& dk,
                        const Tensor& dv);

}  // namespace lynceus::kernels
