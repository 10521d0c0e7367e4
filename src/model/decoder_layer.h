// One decoder layer of the LLaMA family (Touvron et al. 2023), followed by Lynx's adapter:
//
//   h = x + attention(norm(x));   h = h + mlp(norm(h));   y = adapter(h), where there is one
//
// Two all-reduces over grid.tensor in each direction, three with an adapter.
#pragma once

#include <optional>

#include "model/adapter.h"
#include "model/attention.h"
#include "model/mlp.h"
#include "model/norm.h"

namespace lynceus::model {

struct DecoderLayer {
  RmsNorm input_norm;
  SelfAttention attention;
  RmsNorm post_attention_norm;
  Mlp mlp;
  std::optional<Adapter> adapter;

  struct Saved {
    RmsNorm::Saved input_norm, post_attention_norm;
    SelfAttention::Saved attention;
    Mlp::Saved mlp;
    Adapter::Saved adapter;
  };

  /// x [tokens, hidden] -> y [tokens, hidden], equal on all tensor ranks. `cache`: as for
  /// SelfAttention.
  Tensor forward(const Runtime& rt, const PackedBatch& batch, const Tensor& x, Saved* saved,
                 const LayerCache* cache = nullptr) const;
  /// dy [tokens, hidden] -> dx [tokens, hidden], equal on all tensor ranks. Where dx is null and
  /// the LLM is frozen, only the adapter's gradients are computed.
  void backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved, const Tensor& dy,
                Tensor* dx) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

/// The decoder layer `layer`, counted from 0 in the complete model.
DecoderLayer make_decoder_layer(const Runtime& rt, const ModelConfig& config, int64_t layer);

}  // namespace lynceus::model
