// Forward and backward of one pipeline stage: embedding, decoder layers, head, whichever it holds.
// Used by the pipeline executor.
#include "model/stage.h"

#include "kernels/rope.h"

namespace lynceus::model {

void LlmStage::prepare(const Runtime& rt, PackedBatch* batch) const {
  batch->cos = Tensor::empty(rt.stream, {batch->tokens(), head_dim / 2});
  batch->sin = Tensor::empty(rt.stream, {batch->tokens(), head_dim / 2});
  kernels::rope_table(rt.stream, batch->positions, rope_theta, head_dim, batch->cos, batch->sin);
}

LlmStage::Output LlmStage::forward(const Runtime& rt, const PackedBatch& batch, const Tensor& input,
                                   Recompute recompute, Saved* saved) const {
  Tensor h = embedding ? embedding->forward(rt, batch, input) : input;
  const bool keep = saved != nullptr && recompute == Recompute::kNone;
  if (saved) saved->visual = embedding && visual_wants_gradient && batch.visual_tokens() > 0;
  if (keep) saved->layers.resize(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    if (saved && !keep) saved->layer_inputs.push_back(h);
    h = layers[i].forward(rt, batch, h, keep ? &saved->layers[i] : nullptr);
  }
  if (!head) return {h, {}};
  return {h, head->forward(rt, batch, h, saved ? &saved->head : nullptr)};
}

Tensor LlmStage::backward(const Runtime& rt, const PackedBatch& batch, Recompute recompute,
                          Saved* saved, const Tensor& dh,
                          const std::function<void(size_t)>& behind_layer) const {
  const bool embedding_trains = embedding && embedding->weight.trainable();
  const bool wanted_below = !embedding || saved->visual || embedding_trains;
  Tensor d = head ? head->backward(rt, batch, saved->head) : dh;
  for (size_t i = layers.size(); i-- > 0;) {
    const bool wanted = i > 0 || wanted_below;
    if (recompute == Recompute::kLayer) {
      DecoderLayer::Saved again;
      layers[i].forward(rt, batch, saved->layer_inputs[i], &again);
      layers[i].backward(rt, batch, again, d, wanted ? &d : nullptr);
      saved->layer_inputs[i] = Tensor();
    } else {
      layers[i].backward(rt, batch, saved->layers[i], d, wanted ? &d : nullptr);
      saved->layers[i] = {};
    }
    if (behind_layer) behind_layer(i);
  }
  if (!embedding) return d;
  Tensor dvisual;
  if (saved->visual) dvisual = rt.activation({batch.visual_tokens(), d.cols()});
  embedding->backward(rt, batch, d, saved->visual ? &dvisual : nullptr);
  return dvisual;
}

void LlmStage::visit_parameters(const ParameterVisitor& visit) {
  if (embedding) embedding->visit_parameters(visit);
  for (DecoderLayer& layer : layers) layer.visit_parameters(visit);
  if (head) head->visit_parameters(visit);
}

LlmStage make_stage(const Runtime& rt, const ModelConfig& config, int64_t first, int64_t last,
                    double label_smoothing) {
  LlmStage stage;
  stage.first_layer = first;
  stage.rope_theta = config.llm.rope_theta;
  stage.head_dim = config.llm.head_dim();
  stage.visual_wants_gradient = config.llm.trains("bridge");
  if (rt.grid.first_stage()) stage.embedding = make_embedding(rt, config.llm);
  for (int64_t layer = first; layer < last; ++layer)
    stage.layers.push_back(make_decoder_layer(rt, config, layer));
  if (rt.grid.last_stage()) stage.head = make_lm_head(rt, config.llm, label_smoothing);
  return stage;
}

}  // namespace lynceus::model
