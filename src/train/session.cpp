// Opens what a configuration names and makes the model of it. Every file is looked at before the
// first collective, so that what is wrong is told once.
#include "train/session.h"

#include <charconv>
#include <sstream>

#include "core/log.h"
#include "core/resource.h"
#include "io/eva_weights.h"
#include "io/hf_config.h"
#include "io/pad_row.h"
#include "io/shared_digest.h"
#include "io/summed_weights.h"
#include "model/load_weights.h"

namespace lynceus {
namespace {

struct SourceText {
  std::string name, glob;
  double weight = 1;
};

/// NAME:WEIGHT:GLOB or, without weight, NAME:GLOB.
SourceText parse_source(const std::string& key, const std::string& text, bool weighted) {
  SourceText source;
  const size_t first = text.find(':');
  const size_t second = weighted && first != std::string::npos ? text.find(':', first + 1) : first;
  if (first == std::string::npos || second == std::string::npos || first == 0)
    throw UsageError("{}: expected {}, found '{}'", key,
                     weighted ? "NAME:WEIGHT:GLOB" : "NAME:GLOB", text);
  source.name = text.substr(0, first);
  source.glob = text.substr(second + 1);
  if (weighted) {
    const char* begin = text.data() + first + 1;
    const char* end = text.data() + second;
    const auto parsed = std::from_chars(begin, end, source.weight);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(source.weight > 0))
      throw UsageError("{} {}: expected a positive weight, found '{}'", key, source.name,
                       std::string(begin, end));
  }
  return source;
}

void refuse_twice(const std::string& key, const std::vector<io::Dataset>& datasets) {
  for (size_t i = 0; i < datasets.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (datasets[i].name() == datasets[j].name())
        throw UsageError("{}: two sources are named '{}'", key, datasets[i].name());
}

/// step(), its errors headed by the key that named the file.
template <typename Step>
auto under_key(const std::string& key, const Step& step) {
  try {
    return step();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", key, error.what()));
  }
}

/// The numbers of config.json are those of the tensors beside it: they hold, and what was given
/// else is told.
void take_from_weights(const RunConfig& config, ConfigReader* reader,
                       const io::Tokenizer& tokenizer) {
  const LlmConfig& llm = config.model.llm;
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

/// Every sample of every rank has a place in the plan: looked at here, before any step.
void refuse_long_videos(const std::string& key, const std::vector<io::Dataset>& datasets,
                        int64_t most_frames) {
  for (const io::Dataset& dataset : datasets)
    for (int64_t sample = 0; sample < dataset.size(); ++sample)
      if (const int64_t frames = dataset.media_count(sample);
          frames > most_frames && dataset.kind(sample) == io::MediaKind::kFrames)
        throw InputError("{}: {}: expected at most vision.num_frames = {} frames, found {}", key,
                         dataset.describe(sample), most_frames, frames);
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

io::WeightSourcePtr open_backbone(const LlmConfig& config, const DeltaConfig& delta) {
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

std::string backbone_digest(const LlmConfig& config, const io::WeightSource& source,
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

TextOptions RunData::text(const RunConfig& config) const {
  return {tokenizer.get(), style, caption_prompts, config.data.max_tokens, config.train.seed};
}

std::vector<const io::Dataset*> RunData::pointers(const std::vector<io::Dataset>& datasets) {
  std::vector<const io::Dataset*> pointers;
  for (const io::Dataset& dataset : datasets) pointers.push_back(&dataset);
  return pointers;
}

RunData open_data(const RunConfig& config, bool with_training) {
  RunData data;
  if (config.data.tokenizer.empty())
    throw UsageError("data.tokenizer: expected a SentencePiece model, found nothing");
  data.tokenizer = under_key(
      "data.tokenizer", [&] { return std::make_unique<io::Tokenizer>(config.data.tokenizer); });
  data.style =
      io::PromptStyle::load(find_resource("data.prompt", "prompts", config.data.prompt, ".ini"));
  if (!config.data.caption_prompts.empty())
    data.caption_prompts = io::PromptList::load(
        find_resource("data.caption_prompts", "prompts", config.data.caption_prompts, ".txt"));
  if (with_training) {
    for (const std::string& text : config.data.sources) {
      const SourceText source = parse_source("data.source", text, true);
      data.training.push_back(
          under_key("data.source", [&] { return io::Dataset(source.name, source.glob); }));
      data.weights.push_back(source.weight);
    }
    if (data.training.empty())
      throw UsageError("data.source: expected one source at least, found none");
  }
  for (const std::string& text : config.data.validation) {
    const SourceText source = parse_source("data.validation", text, false);
    data.validation.push_back(
        under_key("data.validation", [&] { return io::Dataset(source.name, source.glob); }));
  }
  refuse_twice("data.source", data.training);
  refuse_twice("data.validation", data.validation);
  refuse_long_videos("data.source", data.training, config.model.vision.num_frames);
  refuse_long_videos("data.validation", data.validation, config.model.vision.num_frames);
  return data;
}

void resolve_config(RunConfig* config, ConfigReader* reader, const io::Tokenizer& tokenizer,
                    const Runtime& rt) {
  LlmConfig& llm = config->model.llm;
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
  validate_layout(config->model, rt.grid.tensor->size(), rt.grid.pipeline->size());
  partition_model(config->model, rt.grid.pipeline->size(), config->parallel.layers);
  const auto check = [&](const char* key, const io::WeightSourcePtr& source,
                         const NameFilter& filter) {
    under_key(key, [&] { check_weights(config->model, *source, filter); });
  };
  if (!llm.weights.empty()) check("model.weights", open_backbone(llm, config->delta), is_backbone);
  if (!config->model.vision.weights.empty())
    check("vision.weights", open_encoder(*config), is_vision);
}

LynxModel build_model(const Runtime& rt, const RunConfig& config, const std::string& tokenizer,
                      WeightOrigins* origins) {
  const LlmConfig& llm = config.model.llm;
  LynxModel model =
      make_lynx(rt, config.model,
                partition_model(config.model, rt.grid.pipeline->size(), config.parallel.layers),
                config.train.label_smoothing);
  initialize(rt, &model, config.train.seed);
  const auto random = [&](double std) {
    return fmt::format("random {} {}", config.train.seed, std);
  };
  const auto load = [&](const io::WeightSourcePtr& source, const NameFilter& filter) {
    log::info("weights from {}", source->describe());
    load_weights(rt, &model, *source, filter);
    return source;
  };
  std::string backbone = random(llm.init_std);
  if (!llm.weights.empty())
    backbone =
        backbone_digest(llm, *load(open_backbone(llm, config.delta), is_backbone), *rt.grid.world);
  else if (!llm.init_from.empty())
    backbone = load_backbone(rt, &model, llm.init_from, {tokenizer, config.options.allow_change});
  else
    log::info("the LLM starts from random values: model.weights names none");
  std::string encoder = random(config.model.vision.init_std);
  if (!config.model.vision.weights.empty())
    encoder =
        io::digest_files(load(open_encoder(config), is_vision)->files(), *rt.grid.world).hex();
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
          config.train.recompute == "layer" ? Recompute::kLayer : Recompute::kNone};
}

BatchLimits batch_limits(const RunConfig& config) {
  return {config.train.micro_batch_tokens, config.train.vision_window};
}

io::TransformConfig transform_config(const RunConfig& config, bool training) {
  io::TransformConfig transform;
  transform.image_size = static_cast<int>(config.model.vision.image_size);
  transform.augment = training && config.data.augment;
  transform.seed = config.train.seed;
  return transform;
}

}  // namespace lynceus
