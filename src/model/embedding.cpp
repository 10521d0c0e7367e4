// Rows of a split table, summed over the ranks that have and have not each row; visual tokens are
// laid over theirs. Used by the first LlmStage.
#include "model/embedding.h"

#include "kernels/embedding.h"

namespace lynceus::model {

Tensor Embedding::forward(const Runtime& rt, const PackedBatch& batch, const Tensor& visual) const {
  Tensor h = rt.activation({batch.tokens(), weight.value.cols()});
  kernels::embedding_forward(rt.stream, batch.token_ids, weight.used(), weight.shard.offset, h);
  rt.grid.tensor->all_reduce(h);  // exactly one rank holds each row: adding zeros changes no bit
  if (batch.visual_tokens() > 0) kernels::scatter_rows(rt.stream, visual, batch.visual_rows, h);
  return h;
}

void Embedding::backward(const Runtime& rt, const PackedBatch& batch, const Tensor& dh,
                         const Tensor* dvisual) const {
  if (weight.trainable())
    kernels::embedding_backward(rt.stream, batch.token_ids, dh, weight.shard.offset, weight.grad);
  if (dvisual != nullptr && batch.visual_tokens() > 0)
    kernels::gather_rows(rt.stream, dh, batch.visual_rows, *dvisual);
}

Embedding make_embedding(const Runtime& rt, const LlmConfig& config) {
  const ParameterMaker make(rt, "LLM.model.", Module::kLlm, config.trains("llm"));
  return {make.padded_rows("embed_tokens.weight", {config.vocab_size, config.hidden_size})};
}

}  // namespace lynceus::model
