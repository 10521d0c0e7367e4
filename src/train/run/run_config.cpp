// Checks that span sections, and the values that files and the world decide.
#include "train/run/run_config.h"

#include "core/log.h"
#include "io/weights/hf_config.h"
#include "model/load_weights.h"
#include "train/run/build_model.h"
#include "train/under_key.h"

namespace lynceus::train {
namespace {

/// config.json describes the tensors in its directory, so its values override the given ones; each
/// override is logged.
void take_from_weights(const RunConfig& config, ConfigReader* reader,
                       const io::Tokenizer& tokenizer) {
  const model::LlmConfig& llm = config.model.llm;
  const io::LlamaConfig file =
      under_key("model.weights", [&] { return io::read_llama_config(llm.weights); });
  const std::string origin = io::llama_config_file(llm.weights).string();
  const auto take = [&](const char* key, auto given, auto found) {
    if (given == found) return;
    if (reader->origin(key) != "default")
      log::info("{} = {} (from {}) overrides {} (from {})", key, found, origin, given,
                reader->origin(key));
    reader->set(key, fmt::format("{}", found), origin);
  };
  take("model.hidden_size", llm.hidden_size, file.hidden_size);
  take("model.intermediate_size", llm.intermediate_size, file.intermediate_size);
  take("model.num_layers", llm.num_layers, file.num_hidden_layers);
  take("model.num_heads", llm.num_heads, file.num_attention_heads);
  take("model.num_kv_heads", llm.num_kv_heads, file.num_key_value_heads);
  take("model.rms_norm_eps", llm.rms_norm_eps, file.rms_norm_eps);
  take("model.rope_theta", llm.rope_theta, file.rope_theta);
  take("model.rope_scaling", llm.rope_scaling, file.rope_scaling.to_text());
  take("model.tie_word_embeddings", llm.tie_word_embeddings, file.tie_word_embeddings);
  const int64_t with_pad = tokenizer.size() + 1;
  if (file.vocab_size != tokenizer.size() && file.vocab_size != with_pad)
    throw InputError("{}: vocab_size is {}, but {} has {} pieces: expected {}, or {} with [PAD]",
                     llm.weights, file.vocab_size, config.data.tokenizer, tokenizer.size(),
                     tokenizer.size(), with_pad);
}

void check_layout(const RunConfig& config, const Runtime& rt) {
  config.model.validate();
  model::validate_layout(config.model, rt.grid.tensor->size(), rt.grid.pipeline->size());
  model::partition_model(config.model, rt.grid.pipeline->size(), config.parallel.layers);
}

void check_weight_files(const RunConfig& config, const Runtime& rt) {
  const model::ModelConfig& model = config.model;
  if (!model.llm.weights.empty())
    check_backbone(model, config.delta, /*reads_head=*/rt.grid.world->rank() == 0);
  if (model.vision.weights.empty()) return;
  const io::WeightSourcePtr encoder = open_encoder(model);
  under_key("vision.weights",
            [&] { model::check_weights(model, *encoder, model::of_module(Module::kVision)); });
}

}  // namespace

void RunConfig::check(ConfigFaults* faults) const {
  options.check(faults);
  model.check(faults);
  data.check(faults);
  parallel.check(faults);
  train.check(faults);
  optimizer.check(faults);
  checkpoint.check(faults);
  log.check(faults);
  watchdog.check(faults);
  const bool adapters = model.llm.trains("adapter") && model.adapter.every != 0;
  const bool trains = adapters || model.llm.trains("bridge") || model.llm.trains("llm");
  // A word that is none of these is a fault of its own.
  faults->expect(trains || model.llm.trains_unknown(), "model.train",
                 "something to train: bridge, llm, or adapter with adapter.every above 0",
                 fmt::format("'{}'", model.llm.train));
  faults->expect(model.llm.weights.empty() || model.llm.init_from.empty(), "model.init_from",
                 "no value together with model.weights", fmt::format("'{}'", model.llm.init_from));
  faults->expect(train.sample_prompts.empty() || !data.validation.empty(), "train.sample_prompts",
                 "no value without data.validation", fmt::format("'{}'", train.sample_prompts));
  faults->expect(delta.weights_delta.empty() || !model.llm.weights.empty(), "model.weights_delta",
                 "no value without model.weights", fmt::format("'{}'", delta.weights_delta));
}

void resolve_config(RunConfig* config, ConfigReader* reader, const io::Tokenizer& tokenizer,
                    const Runtime& rt) {
  model::LlmConfig& llm = config->model.llm;
  if (!llm.weights.empty()) take_from_weights(*config, reader, tokenizer);
  const int64_t from_tokenizer = tokenizer.size() + 1;  // [PAD]
  if (!llm.given_vocab_size)
    reader->set("model.vocab_size", fmt::format("{}", from_tokenizer), config->data.tokenizer);
  if (config->parallel.data == 0)
    reader->set("parallel.data", fmt::format("{}", rt.grid.shape.data),
                fmt::format("{} ranks", rt.grid.world->size()));
  reader->check();
  llm.vocab_size = *llm.given_vocab_size;
  if (llm.vocab_size < tokenizer.size())
    throw InputError(
        "model.vocab_size is {}, but the tokenizer {} ({}) has {} pieces: expected at "
        "least {}",
        llm.vocab_size, config->data.tokenizer, tokenizer.fingerprint(), tokenizer.size(),
        from_tokenizer);
  check_layout(*config, rt);
  check_weight_files(*config, rt);
}

}  // namespace lynceus::train
