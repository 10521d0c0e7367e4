// Self-attention of a decoder layer (Vaswani et al. 2017), with rotary positions (Su et al. 2021)
// and grouped key/value heads (Ainslie et al. 2023). Heads are split over grid.tensor: q, k and v
// by output features, o by input features.
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
    Tensor q;     // [tokens, heads_local · head_dim], rotated
    Tensor k, v;  // [tokens, kv_heads_local · head_dim]; k rotated
    Tensor out;   // [tokens, heads_local · head_dim]
    Tensor lse;   // f32 [heads_local, tokens]
  };

  /// x [tokens, hidden] -> y [tokens, hidden], summed over grid.tensor. `cache`: gets the keys and
  /// values of x, as batch.cache says; null: none.
  Tensor forward(const Runtime& rt, const PackedBatch& batch, const Tensor& x, Saved* saved,
                 const LayerCache* cache = nullptr) const;
  /// dy [tokens, hidden] -> dx [tokens, hidden], summed over grid.tensor.
  void backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved, const Tensor& dy,
                Tensor* dx) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

SelfAttention make_self_attention(const ParameterMaker& make, const LlmConfig& config);

}  // namespace lynceus::model
