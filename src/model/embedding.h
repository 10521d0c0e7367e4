// Token embedding, its vocabulary split over grid.tensor. Lays the visual tokens in front of the
// text.
#pragma once

#include "model/config.h"
#include "model/packed_batch.h"
#include "model/parameter_maker.h"

namespace lynceus::model {

struct Embedding {
  Parameter weight;  // [vocab_local, hidden], padded at the end of the last shard

  /// visual [visual tokens, hidden] (undefined: none) -> h [tokens, hidden], equal on all tensor
  /// ranks.
  Tensor forward(const Runtime& rt, const PackedBatch& batch, const Tensor& visual) const;
  /// dvisual [visual tokens, hidden]; null: not wanted. Adds to weight.grad where it is trained.
  void backward(const Runtime& rt, const PackedBatch& batch, const Tensor& dh,
                const Tensor* dvisual) const;
  void visit_parameters(const ParameterVisitor& visit) { visit(weight); }
};

Embedding make_embedding(const Runtime& rt, const LlmConfig& config);

}  // namespace lynceus::model
