// Forward and backward of one pipeline stage: what it has of embedding, decoder layers and head.
#include "model/stage.h"

#include <functional>

#include "kernels/rope.h"
#include "model/layer.h"

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
  if (keep) saved->layers.resize(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    if (saved && !keep) saved->layer_inputs.push_back(h);
    h = layers[i].forward(rt, batch, h, keep ? &saved->layers[i] : nullptr);
  }
  if (!head) return {h, {}};
  return {h, head->forward(rt, batch, h, part(saved, &Saved::head))};
}

void LlmStage::backward(const Runtime& rt, const PackedBatch& batch, Recompute recompute,
                        Saved* saved, const Tensor& dy, Tensor* dx,
                        const std::function<void(size_t)>& after_layer) const {
  const bool wanted_below = dx != nullptr || (embedding && embedding->weight.trainable());
  Tensor d = dy;
  if (head) head->backward(rt, batch, saved->head, &d);
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
    if (after_layer) after_layer(i);
  }
  if (embedding)
    embedding->backward(rt, batch, d, dx);
  else if (dx != nullptr)
    *dx = d;
}

void LlmStage::visit_parameters(const ParameterVisitor& visit) {
  if (embedding) embedding->visit_parameters(visit);
  for (DecoderLayer& layer : layers) layer.visit_parameters(visit);
  if (head) head->visit_parameters(visit);
}

LlmStage make_stage(const Runtime& rt, const ModelConfig& config, int64_t first, int64_t last,
                    double label_smoothing) {
  LlmStage stage;
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
