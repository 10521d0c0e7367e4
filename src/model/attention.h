// Self-attention of a decoder layer (Vaswani et al. 2017; rotary positions; grouped KV heads),
// heads split over grid.tensor: q, k, v by columns, o by rows.
#pragma once

#include "kernels/attention.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/packed_batch.h"

namespace lynceus::model {

struct SelfAttention {
  Linear q_proj;  // [heads_local · head_dim, hidden]
  Linear k_proj;  // [kv_heads_local · head_dim, hidden]
  Linear v_proj;  // [kv_heads_local · head_dim, hidden]
  Linear o_proj;  // [hidden, heads_local · head_dim]
  kernels::AttentionShape shape;

  struct Saved {
    Linear::Saved q_proj, k_proj, v_proj, o_proj;
    Tensor q, k, v;  // rotated; [tokens, heads_local · head_dim] and [tokens, kv ...]
    Tensor out;      // [tokens, heads_local · head_dim]
    Tensor lse;      // [heads_local, tokens]
  };

  /// x [tokens, hidden] -> [tokens, hidden], summed over grid.tensor.
  Tensor forward(const Runtime& rt, const PackedBatch& batch, const Tensor& x, Saved* saved) const;
  /// dy [tokens, hidden] -> dx [tokens, hidden], summed over grid.tensor.
  Tensor backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved,
                  const Tensor& dy) const;
  void visit_parameters(const ParameterVisitor& visit);
};

SelfAttention make_self_attention(const ParameterMaker& make, const LlmConfig& config);

}  // namespace lynceus::model
