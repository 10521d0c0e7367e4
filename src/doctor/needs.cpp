#include "doctor/needs.h"

#include <algorithm>

#include "io/text/tokenizer.h"
#include "model/load_weights.h"
#include "model/lynx.h"
#include "parallel/gradient_reducer.h"
#include "train/data/text_choice.h"

namespace lynceus::doctor {
namespace {

constexpr int64_t kUsualVocabulary = 32001;  // LLaMA's with [PAD]
constexpr int64_t kF32 = 4;
constexpr int64_t kMoments = 2;

int64_t bytes_of(const Parameter& parameter) {
  const auto size = [](const Tensor& tensor) {
    return tensor.defined() ? static_cast<int64_t>(tensor.bytes()) : 0;
  };
  const int64_t gradient = size(parameter.grad);
  return size(parameter.value) + size(parameter.rounded) + gradient + kMoments * gradient;
}

/// What the decoder layers of this stage keep between forward and backward.
int64_t kept_bytes(const Runtime& rt, const train::RunConfig& config, int64_t layers) {
  const model::LlmConfig& llm = config.model.llm;
  const auto value_bytes = static_cast<int64_t>(size_of(rt.precision));
  const int64_t width = llm.hidden_size, keys = llm.kv_heads() * llm.head_dim();
  const int64_t in_flight = rt.grid.pipeline->size() - rt.grid.stage();
  const int64_t of_token =
      config.train.recompute == "layer"
          ? width
          : 2 * width + (2 * width + 2 * keys + 2 * llm.intermediate_size) / rt.grid.tensor->size();
  return value_bytes * of_token * layers * config.train.micro_batch_tokens * in_flight;
}

}  // namespace

int64_t Needs::message_bytes(const std::string& group) const {
  if (group == "world") return bridge_gradient_bytes;
  if (group == "data") return gradient_bytes;
  if (group == "replica") return visual_bytes;
  return activation_bytes;  // tensor, pipeline
}

Needs needs_of(const Runtime& rt, const train::RunConfig& given) {
  train::RunConfig config = given;
  model::LlmConfig& llm = config.model.llm;
  llm.vocab_size = llm.given_vocab_size.value_or(kUsualVocabulary);
  config.model.validate();
  model::validate_layout(config.model, rt.grid.tensor->size(), rt.grid.pipeline->size());
  const Runtime shapes(Stream(Device{DeviceKind::kNone, 0}), rt.grid, rt.precision);
  model::LynxModel mine = model::make_lynx(
      shapes, config.model,
      model::partition_model(config.model, rt.grid.pipeline->size(), config.parallel.layers), 0);
  Needs needs;
  int64_t of_bridge = 0, of_rest = 0;
  mine.visit_parameters([&](Parameter& parameter) {
    needs.rank_bytes += bytes_of(parameter);
    if (!parameter.trainable()) return;
    (model::in_vision_branch(parameter) ? of_bridge : of_rest) +=
        static_cast<int64_t>(parameter.grad.bytes());
  });
  needs.rank_bytes += kept_bytes(rt, config, std::ssize(mine.stage.layers));
  const auto trains = [](const Parameter& parameter) { return parameter.trainable(); };
  for (const auto& tensor : model::expected_tensors(config.model, trains))
    needs.checkpoint_bytes += (1 + kMoments) * kF32 * tensor.shape.elements();
  for (const auto& tensor : model::expected_tensors(config.model))
    needs.parameters += tensor.shape.elements();
  constexpr auto kBucket = static_cast<int64_t>(parallel::kGradientBucketBytes);
  const auto value_bytes = static_cast<int64_t>(size_of(rt.precision));
  needs.activation_bytes = value_bytes * config.train.micro_batch_tokens * llm.hidden_size;
  needs.gradient_bytes = std::min(kBucket, of_rest);
  needs.bridge_gradient_bytes = std::min(kBucket, of_bridge);
  needs.visual_bytes = value_bytes * config.model.visual_tokens(1) * llm.hidden_size;
  return needs;
}

void resolve_model(train::RunConfig* config, ConfigReader* reader, const Runtime& rt) {
  const bool has_tokenizer = !config->data.tokenizer.empty() || !config->model.llm.weights.empty();
  if (!has_tokenizer) return;
  train::choose_text(&config->data, reader, config->model.llm.weights, config->delta.weights_delta,
                     nullptr);
  const io::Tokenizer tokenizer(config->data.tokenizer);
  train::resolve_config(config, reader, tokenizer, rt);
}

}  // namespace lynceus::doctor
