// Forward and backward of one pipeline stage: what it has of embedding, decoder layers and head.
#include "model/stage.h"

#include <algorithm>
#include <functional>

#include "kernels/rope.h"
#include "model/layer.h"
#include "model/rope_frequencies.h"

namespace lynceus::model {

void LlmStage::prepare(const Runtime& rt, PackedBatch* batch) const {
  batch->cos = Tensor::empty(rt.stream, {batch->tokens(), head_dim / 2});
  batch->sin = Tensor::empty(rt.stream, {batch->tokens(), head_dim / 2});
  const auto fill = [&](int64_t first, int64_t rows, int64_t length) {
    const Tensor frequencies = Tensor::from(
        rt.stream, {head_dim / 2}, rope_frequencies(rope_scaling, rope_theta, head_dim, length));
    kernels::rope_table(rt.stream, batch->positions.slice(first, rows), frequencies,
                        batch->cos.slice(first, rows), batch->sin.slice(first, rows));
  };
  if (rope_scaling.kind != io::RopeScaling::Kind::kDynamic) return fill(0, batch->tokens(), 0);
  // Each sequence by its own length, so that its neighbours in the micro-batch change nothing.
  const std::vector<int32_t> positions = batch->positions.to_vector<int32_t>();
  const auto& ends = batch->sequences.host;
  for (size_t i = 0; i + 1 < ends.size(); ++i) {
    if (ends[i] == ends[i + 1]) continue;
    const int32_t last =
        *std::max_element(positions.begin() + ends[i], positions.begin() + ends[i + 1]);
    fill(ends[i], ends[i + 1] - ends[i], int64_t{last} + 1);
  }
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

Tensor LlmStage::forward_cached(const Runtime& rt, const PackedBatch& batch, const Tensor& input,
                                const std::vector<LayerCache>& caches) const {
  Tensor h = embedding ? embedding->forward(rt, batch, input) : input;
  for (size_t i = 0; i < layers.size(); ++i)
    h = layers[i].forward(rt, batch, h, /*saved=*/nullptr, &caches[i]);
  return h;
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

void LlmStage::visit_linears(const LinearVisitor& visit) {
  for (DecoderLayer& layer : layers) layer.visit_linears(visit);
  if (head) head->visit_linears(visit);
}

Parameter* LlmStage::shared_between_stages() {
  if (!ties_embedding || embedding.has_value() == head.has_value()) return nullptr;
  return embedding ? &embedding->weight : &head->lm_head.weight;
}

void LlmStage::share_embedding() {
  if (head && head->shares_embedding) head->lm_head.weight = embedding->weight;
}

LlmStage make_stage(const Runtime& rt, const ModelConfig& config, int64_t first, int64_t last,
                    double label_smoothing) {
  LlmStage stage;
  stage.rope_theta = config.llm.rope_theta;
  stage.rope_scaling = config.llm.scaling();
  stage.head_dim = config.llm.head_dim();
  stage.visual_wants_gradient = config.llm.trains("bridge");
  if (rt.grid.first_stage()) stage.embedding = make_embedding(rt, config.llm);
  for (int64_t layer = first; layer < last; ++layer)
    stage.layers.push_back(make_decoder_layer(rt, config, layer));
  stage.ties_embedding = config.llm.tie_word_embeddings;
  if (rt.grid.last_stage())
    stage.head = make_lm_head(rt, config.llm, stage.embedding ? &*stage.embedding : nullptr,
                              label_smoothing);
  return stage;
}

}  // namespace lynceus::model
