// Rows of a table that is split over tensor ranks: each rank looks up its own, the sum has all.
#include "model/embedding.h"

#include "kernels/embedding.h"

namespace lynceus::model {

Tensor Embedding::forward(const Runtime& rt, const PackedBatch& batch, const Tensor& visual) const {
  Tensor y = rt.activation({batch.tokens(), weight.value.cols()});
  kernels::embedding_forward(rt.stream, batch.token_ids, weight.used(), weight.shard.offset, y);
  rt.grid.tensor->all_reduce(y);  // exactly one rank has each row: adding zeros changes no bit
  if (batch.visual_tokens() > 0) kernels::scatter_rows(rt.stream, visual, batch.visual_rows, y);
  return y;
}

void Embedding::backward(const Runtime& rt, const PackedBatch& batch, const Tensor& dy,
                         Tensor* dvisual) const {
  if (weight.trainable())
    kernels::embedding_backward(rt.stream, batch.token_ids, dy, weight.shard.offset, weight.grad);
  if (dvisual == nullptr) return;
  const Tensor picked = rt.activation({batch.visual_tokens(), dy.cols()});
  if (batch.visual_tokens() > 0) kernels::gather_rows(rt.stream, dy, batch.visual_rows, picked);
  *dvisual = picked;
}

Embedding make_embedding(const Runtime& rt, const LlmConfig& config) {
  const ParameterMaker make(rt, "LLM.model.", Module::kLlm, config.trains("llm"));
  return {make.padded_rows("embed_tokens.weight", {config.vocab_size, config.hidden_size})};
}

}  // namespace lynceus::model
