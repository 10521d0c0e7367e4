// Final norm, logits of the scored rows, and cross-entropy over a split vocabulary with two small
// reductions: the maxima of rows, then the sums.
#include "model/lm_head.h"

#include "core/trace.h"
#include "kernels/cast.h"
#include "kernels/embedding.h"
#include "model/layer.h"

namespace lynceus::model {

LmHead::Loss LmHead::forward(const Runtime& rt, const PackedBatch& batch, const Tensor& h,
                             Saved* saved) const {
  LYNCEUS_TRACE("lm head");
  const int64_t scored = batch.scored();
  // Picked before the norm: unscored rows reach no loss.
  const Tensor picked = rt.activation({scored, h.cols()});
  kernels::gather_rows(rt.stream, h, batch.scored_rows, picked);
  const Tensor normed = norm.forward(rt, picked, part(saved, &Saved::norm));
  Linear::Saved linear_saved;
  const Tensor logits = lm_head.forward(rt, normed, saved ? &linear_saved : nullptr);

  const Tensor local_max = Tensor::empty(rt.stream, {scored});
  const Tensor partial = Tensor::empty(rt.stream, {scored, kernels::kCrossEntropyPartials});
  kernels::cross_entropy_partial(rt.stream, logits, batch.scored_labels, vocabulary, local_max,
                                 partial);
  const Tensor row_max = local_max.clone(rt.stream);
  rt.grid.tensor->all_reduce(row_max, parallel::ReduceOp::kMax);
  kernels::cross_entropy_rebase(rt.stream, local_max, row_max, partial);
  rt.grid.tensor->all_reduce(partial);

  Loss loss{Tensor::empty(rt.stream, {scored}), Tensor::empty(rt.stream, {scored}, DType::kU8)};
  kernels::cross_entropy_finish(rt.stream, logits, batch.scored_labels, vocabulary, row_max,
                                partial, label_smoothing, saved != nullptr, &loss.row_loss,
                                &loss.row_correct);
  if (saved) {
    lm_head.backward(rt, linear_saved, logits, &saved->dnormed);
    rt.grid.tensor->all_reduce(saved->dnormed);
  }
  return loss;
}

void LmHead::backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved,
                      Tensor* dh) const {
  Tensor dpicked;
  norm.backward(rt, saved.norm, saved.dnormed, dh != nullptr ? &dpicked : nullptr);
  if (dh == nullptr) return;
  *dh = rt.activation({batch.tokens(), dpicked.cols()});
  dh->fill_zero();
  kernels::scatter_rows(rt.stream, dpicked, batch.scored_rows, *dh);
}

Tensor LmHead::logits(const Runtime& rt, const Tensor& h) const {
  return lm_head.forward(rt, norm.forward(rt, h, nullptr), nullptr);
}

Tensor LmHead::wide_logits(const Runtime& rt, const Tensor& h) const {
  const Tensor y = Tensor::empty(rt.stream, {h.rows(), lm_head.out_features()});
  if (!lm_head.packed.defined()) {
    const Tensor narrow = logits(rt, h);
    if (narrow.dtype() == DType::kF32) return narrow;
    kernels::cast(rt.stream, narrow, y);
    return y;
  }
  kernels::linear_forward(rt.stream, norm.forward(rt, h, nullptr), lm_head.packed, nullptr, y);
  return y;
}

void LmHead::visit_parameters(const ParameterVisitor& visit) {
  norm.visit_parameters(visit);
  if (!shares_embedding) lm_head.visit_parameters(visit);
}

void LmHead::visit_linears(const LinearVisitor& visit) { visit(lm_head); }

LmHead make_lm_head(const Runtime& rt, const LlmConfig& config, const Embedding* embedding,
                    double label_smoothing) {
  const ParameterMaker make(rt, "LLM.", Module::kLlm, config.trains("llm"));
  LmHead head;
  head.norm = make_rms_norm(make.in("model.norm"), config.hidden_size, config.rms_norm_eps);
  head.shares_embedding = config.tie_word_embeddings && embedding != nullptr;
  head.lm_head.weight =
      head.shares_embedding ? embedding->weight
      : config.tie_word_embeddings
          ? make_embedding(rt, config).weight
          : make.padded_rows("lm_head.weight", {config.vocab_size, config.hidden_size});
  head.vocabulary = {head.lm_head.weight.shard.offset, head.lm_head.weight.valid_extent(),
                     config.vocab_size};
  head.label_smoothing = static_cast<float>(label_smoothing);
  return head;
}

}  // namespace lynceus::model
