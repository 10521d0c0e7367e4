// Opens what a configuration names and makes the model of it. Every file is looked at before the
// first collective, so that what is wrong is told once.
#include "train/run/session.h"

#include <sstream>

#include "core/cores.h"
#include "core/log.h"
#include "core/version.h"
#include "io/weights/eva_weights.h"
#include "io/weights/hf_config.h"
#include "io/weights/pad_row.h"
#include "io/weights/shared_digest.h"
#include "io/weights/summed_weights.h"
#include "io/weights/weight_files.h"
#include "model/load_weights.h"
#include "train/under_key.h"

namespace lynceus::train {
namespace {

/// The numbers of config.json are those of the tensors beside it: they hold, and what was given
/// else is told.
void take_from_weights(const RunConfig& config, ConfigReader* reader,
                       const io::Tokenizer& tokenizer) {
  const model::LlmConfig& llm = config.model.llm;
  const io::LlamaConfig file =
      under_key("model.weights", [&] { return io::read_llama_config(llm.weights); });
  const std::string origin = io::llama_config_file(llm.weights).string();
  const auto take = [&](const char* key, auto given, auto found) {
    if (given == found) return;
    if (reader->origin(key) != "default")
      log::info("{} = {} of {} holds, not {} ({})", key, found, origin, given, reader->origin(key));
    reader->set(key, fmt::format("{}", found), origin);
  };
  take("model.hidden_size", llm.hidden_size, file.hidden_size);
  take("model.intermediate_size", llm.intermediate_size, file.intermediate_size);
  take("model.num_layers", llm.num_layers, file.num_hidden_layers);
  take("model.num_heads", llm.num_heads, file.num_attention_heads);
  take("model.num_kv_heads", llm.num_kv_heads, file.num_key_value_heads);
  take("model.rms_norm_eps", llm.rms_norm_eps, file.rms_norm_eps);
  take("model.rope_theta", llm.rope_theta, file.rope_theta);
  const int64_t with_pad = tokenizer.size() + 1;
  if (file.vocab_size != tokenizer.size() && file.vocab_size != with_pad)
    throw InputError("{}: vocab_size is {}, but {} has {} pieces: expected {}, or {} with [PAD]",
                     llm.weights, file.vocab_size, config.data.tokenizer, tokenizer.size(),
                     tokenizer.size(), with_pad);
}

io::WeightSourcePtr open_encoder(const RunConfig& config) {
  io::WeightSourcePtr source =
      under_key("vision.weights", [&] { return io::open_weights(config.model.vision.weights); });
  source = io::vision_tower(std::move(source));
  if (io::has_fused_qkv(*source)) source = io::split_fused_qkv(std::move(source));
  for (const std::string& name : source->names())
    if (name.starts_with("vision_encoder.")) return source;
  source = io::without_unused_ends(std::move(source), config.model.vision.num_layers);
  return io::with_prefix(std::move(source), "", "vision_encoder.");
}

}  // namespace

io::WeightSourcePtr open_backbone(const model::LlmConfig& config, const DeltaConfig& delta) {
  return under_key("model.weights", [&] {
    io::WeightSourcePtr source = io::open_weights(config.weights);
    if (!delta.weights_delta.empty()) {
      source = io::sum_of(std::move(source), under_key("model.weights_delta", [&] {
                            return io::open_weights(delta.weights_delta);
                          }));
    }
    return io::with_pad_row(io::with_prefix(std::move(source), "", "LLM."), config.vocab_size);
  });
}

std::string backbone_digest(const model::LlmConfig& config, const io::WeightSource& source,
                            parallel::Communicator& world) {
  std::vector<std::filesystem::path> files = source.files();
  // Its config.json too: the same tensors under another rope_theta are another model.
  files.push_back(io::llama_config_file(config.weights));
  return io::digest_files(files, world).hex();
}

void RunConfig::validate() const {
  ConfigFaults faults;
  options.check(&faults);
  model.check(&faults);
  data.check(&faults);
  parallel.check(&faults);
  train.check(&faults);
  optimizer.check(&faults);
  checkpoint.check(&faults);
  log.check(&faults);
  const bool adapters = model.llm.trains("adapter") && model.adapter.every != 0;
  faults.expect(adapters || model.llm.trains("bridge") || model.llm.trains("llm"), "model.train",
                "something to train: bridge, llm, or adapter with adapter.every above 0",
                fmt::format("'{}'", model.llm.train));
  faults.expect(model.llm.weights.empty() || model.llm.init_from.empty(), "model.init_from",
                "nothing beside model.weights", fmt::format("'{}'", model.llm.init_from));
  faults.expect(delta.weights_delta.empty() || !model.llm.weights.empty(), "model.weights_delta",
                "nothing without model.weights", fmt::format("'{}'", delta.weights_delta));
  faults.raise();
}

void resolve_config(RunConfig* config, ConfigReader* reader, const io::Tokenizer& tokenizer,
                    const Runtime& rt) {
  model::LlmConfig& llm = config->model.llm;
  const int64_t from_tokenizer = tokenizer.size() + 1;  // [PAD]
  if (!llm.weights.empty()) take_from_weights(*config, reader, tokenizer);
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
  config->model.validate();
  model::validate_layout(config->model, rt.grid.tensor->size(), rt.grid.pipeline->size());
  model::partition_model(config->model, rt.grid.pipeline->size(), config->parallel.layers);
  const auto check = [&](const char* key, const io::WeightSourcePtr& source,
                         const model::NameFilter& filter) {
    under_key(key, [&] { model::check_weights(config->model, *source, filter); });
  };
  if (!llm.weights.empty())
    check("model.weights", open_backbone(llm, config->delta), model::is_backbone);
  if (!config->model.vision.weights.empty())
    check("vision.weights", open_encoder(*config), model::is_vision);
}

model::LynxModel build_model(const Runtime& rt, const RunConfig& config,
                             const std::string& tokenizer, WeightOrigins* origins) {
  const model::LlmConfig& llm = config.model.llm;
  model::LynxModel model = model::make_lynx(
      rt, config.model,
      model::partition_model(config.model, rt.grid.pipeline->size(), config.parallel.layers),
      config.train.label_smoothing);
  model::initialize(rt, &model, config.train.seed);
  const auto random = [&](double std) {
    return fmt::format("random {} {}", config.train.seed, std);
  };
  const auto load = [&](const io::WeightSourcePtr& source, const model::NameFilter& filter) {
    log::info("weights from {}", source->describe());
    model::load_weights(rt, &model, *source, filter);
    return source;
  };
  std::string backbone = random(llm.init_std);
  if (!llm.weights.empty())
    backbone = backbone_digest(llm, *load(open_backbone(llm, config.delta), model::is_backbone),
                               *rt.grid.world);
  else if (!llm.init_from.empty())
    backbone = load_backbone(rt, &model, llm.init_from, {tokenizer, config.options.allow_change});
  else
    log::info("the LLM starts from random values: model.weights names none");
  std::string encoder = random(config.model.vision.init_std);
  if (!config.model.vision.weights.empty())
    encoder =
        io::digest_files(load(open_encoder(config), model::is_vision)->files(), *rt.grid.world)
            .hex();
  else
    log::info("the vision encoder has random values: vision.weights names none");
  *origins = {{"llm", {backbone, ""}},
              {"vision", {encoder, ""}},
              {"bridge", {random(config.model.bridge.init_std), ""}}};
  if (config.model.adapter.every > 0)
    (*origins)["adapter"] = {random(config.model.adapter.init_std), ""};
  model.pack(rt);
  return model;
}

void check_same_everywhere(const Runtime& rt, const RunIdentity& identity) {
  std::vector<std::pair<std::string, std::string>> facts = {{"program", software_version()},
                                                            {"tokenizer", identity.tokenizer}};
  for (const auto& [name, fingerprint] : identity.datasets)
    facts.push_back({"data.source " + name, fingerprint});
  for (const ConfigValue& value : identity.config) facts.push_back({value.key, value.value});
  std::string mine;
  for (const auto& [key, value] : facts) mine += key + "\t" + value + "\n";
  const std::vector<std::string> all = rt.grid.world->all_gather(mine);
  for (size_t rank = 1; rank < all.size(); ++rank) {
    std::istringstream first(all[0]), other(all[rank]);
    for (std::string a, b; all[rank] != all[0];) {
      const bool have_a = static_cast<bool>(std::getline(first, a));
      const bool have_b = static_cast<bool>(std::getline(other, b));
      if (have_a && have_b && a == b) continue;
      throw parallel::AgreedError(
          ExitCode::kUsage, fmt::format("ranks differ: rank 0 has '{}', rank {} has '{}'",
                                        have_a ? a : "nothing", rank, have_b ? b : "nothing"));
    }
  }
}

StepOptions step_options(const RunConfig& config) {
  return {parallel::parse_schedule_kind(config.parallel.schedule),
          config.train.recompute == "layer" ? model::Recompute::kLayer : model::Recompute::kNone};
}

BatchLimits batch_limits(const RunConfig& config) {
  return {config.train.micro_batch_tokens, config.train.vision_window};
}

io::TransformConfig transform_config(const RunConfig& config, bool training) {
  io::TransformConfig transform;
  transform.image_size = static_cast<int>(config.model.vision.image_size);
  transform.augment = training && config.data.augment;
  transform.seed = config.train.seed;
  transform.scaled_decode = config.data.scaled_decode;
  return transform;
}

int loader_threads(const Runtime& rt, const RunConfig& config) {
  if (config.data.loader_threads > 0) return static_cast<int>(config.data.loader_threads);
  return decode_threads(cores_of_this_rank(), !rt.stream.device().is_cpu());
}

}  // namespace lynceus::train
