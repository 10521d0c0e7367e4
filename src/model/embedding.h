// Token embedding, its vocabulary split over grid.tensor; visual tokens replace the rows that a
// batch has for them.
#pragma once

#include "model/config.h"
#include "model/packed_batch.h"
#include "model/parameter_maker.h"

namespace lynceus::model {

struct Embedding {
  Parameter weight;  // [vocab_local, hidden], the last shard padded at its end

  /// visual [visual tokens, hidden] (undefined: none) -> y [tokens, hidden], equal on all tensor
  /// ranks. Backward needs nothing of forward.
  Tensor forward(const Runtime& rt, const PackedBatch& batch, const Tensor& visual) const;
  /// dy [tokens, hidden] -> dvisual [visual tokens, hidden]
  void backward(const Runtime& rt, const PackedBatch& batch, const Tensor& dy,
                Tensor* dvisual) const;
  void visit_parameters(const ParameterVisitor& visit) { visit(weight); }
};

Embedding make_embedding(const Runtime& rt, const LlmConfig& config);

}  // namespace lynceus::model
