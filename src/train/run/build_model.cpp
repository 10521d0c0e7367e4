// Opens weight files under Lynx's names and fills the model from them.
#include "train/run/build_model.h"

#include "core/log.h"
#include "io/weight_views/common_prefix.h"
#include "io/weight_views/eva_weights.h"
#include "io/weight_views/pad_row.h"
#include "io/weight_views/summed_weights.h"
#include "io/weight_views/tied_head.h"
#include "io/weights/hf_config.h"
#include "io/weights/shared_digest.h"
#include "io/weights/weight_files.h"
#include "model/load_weights.h"
#include "parallel/agreement.h"
#include "train/under_key.h"

namespace lynceus::train {

namespace {

constexpr const char* kHead = "LLM.lm_head.weight";
constexpr const char* kEmbedding = "LLM.model.embed_tokens.weight";
constexpr const char* kHeadInFile = "lm_head.weight";
constexpr const char* kEmbeddingInFile = "model.embed_tokens.weight";

/// The names of a module's tensors, without `prefix`.
std::vector<std::string> names_of(const model::ModelConfig& config, Module module,
                                  const std::string& prefix) {
  std::vector<std::string> names;
  for (const io::ExpectedTensor& tensor : model::expected_tensors(config, model::of_module(module)))
    if (tensor.name.starts_with(prefix)) names.push_back(tensor.name.substr(prefix.size()));
  return names;
}

/// The tensors of a LLaMA, under Hugging Face's names.
io::WeightSourcePtr open_llama(const model::ModelConfig& config, const std::string& path) {
  const std::vector<std::string> parts = {"model.", ""};
  return io::without_common_prefix(io::open_weights(path), names_of(config, Module::kLlm, "LLM."),
                                   parts);
}

}  // namespace

io::WeightSourcePtr open_backbone(const model::ModelConfig& config, const DeltaConfig& delta) {
  return under_key("model.weights", [&] {
    io::WeightSourcePtr source = open_llama(config, config.llm.weights);
    if (!delta.weights_delta.empty()) {
      source = io::sum_of(std::move(source), under_key("model.weights_delta", [&] {
                            return open_llama(config, delta.weights_delta);
                          }));
    }
    source = io::with_prefix(std::move(source), "", "LLM.");
    if (config.llm.tie_word_embeddings) source = io::without_tied_head(std::move(source), kHead);
    return io::with_pad_row(std::move(source), config.llm.vocab_size);
  });
}

void check_backbone(const model::ModelConfig& config, const DeltaConfig& delta, bool reads_head) {
  const io::WeightSourcePtr source = open_backbone(config, delta);
  const bool no_head = !config.llm.tie_word_embeddings && !source->has(kHead);
  under_key("model.weights", [&] {
    model::check_weights(config, *source, model::of_module(Module::kLlm),
                         no_head && source->has(kEmbedding)
                             ? "; a model whose embedding is also its output matrix has no "
                               "lm_head.weight: config.json then says tie_word_embeddings = true"
                             : "");
    if (config.llm.tie_word_embeddings && reads_head)
      io::check_tied_head(*open_llama(config, config.llm.weights), kEmbeddingInFile, kHeadInFile);
  });
}

io::WeightSourcePtr open_lynx_file(const model::ModelConfig& config, const std::string& path,
                                   bool reads_head) {
  io::WeightSourcePtr source = io::open_weights(path);
  if (config.llm.tie_word_embeddings) {
    if (reads_head) io::check_tied_head(*source, kEmbedding, kHead);
    source = io::without_tied_head(std::move(source), kHead);
  }
  return io::with_pad_row(std::move(source), config.llm.vocab_size);
}

io::WeightSourcePtr open_encoder(const model::ModelConfig& config) {
  io::WeightSourcePtr source =
      under_key("vision.weights", [&] { return io::open_weights(config.vision.weights); });
  source = io::vision_tower(std::move(source));
  if (io::has_fused_qkv(*source)) source = io::split_fused_qkv(std::move(source));
  for (const std::string& name : source->names())
    if (model::module_of(name) == Module::kVision) return source;
  source = io::without_unused_ends(std::move(source), config.vision.num_layers);
  return io::with_prefix(std::move(source), "", "vision_encoder.");
}

std::string backbone_digest(const model::LlmConfig& config, const io::WeightSource& source,
                            parallel::Communicator& world) {
  std::vector<std::filesystem::path> files = source.files();
  // config.json too: the same tensors with another rope_theta are another model.
  files.push_back(io::llama_config_file(config.weights));
  return io::digest_files(files, world).hex();
}

model::LynxModel build_model(const Runtime& rt, const RunConfig& config,
                             const std::string& tokenizer, WeightOrigins* origins) {
  const model::LlmConfig& llm = config.model.llm;
  const model::VisionConfig& vision = config.model.vision;
  model::LynxModel model = model::make_lynx(
      rt, config.model,
      model::partition_model(config.model, rt.grid.pipeline->size(), config.parallel.layers),
      config.train.label_smoothing);
  // What files provide is not drawn: the values of a 7B model take minutes of one core.
  const auto wants_values = [&](const Parameter& parameter) {
    if (parameter.module == Module::kLlm) return llm.weights.empty() && llm.init_from.empty();
    return parameter.module != Module::kVision || vision.weights.empty();
  };
  parallel::agree(*rt.grid.world,
                  [&] { model::initialize(rt, &model, config.train.seed, wants_values); });
  const auto random = [&](double std) {
    return fmt::format("random {} {}", config.train.seed, std);
  };
  const auto load = [&](const io::WeightSourcePtr& source, Module module) {
    log::info("weights from {}", source->describe());
    model::load_weights(rt, &model, *source, model::of_module(module));
    return source;
  };
  std::string backbone = random(llm.init_std);
  if (!llm.weights.empty())
    backbone = backbone_digest(llm, *load(open_backbone(config.model, config.delta), Module::kLlm),
                               *rt.grid.world);
  else if (!llm.init_from.empty())
    backbone = load_backbone(rt, &model, llm.init_from, {tokenizer, config.options.allow_change});
  else
    log::info("the LLM starts from random values: model.weights is not set");
  std::string encoder = random(vision.init_std);
  if (!vision.weights.empty())
    encoder =
        io::digest_files(load(open_encoder(config.model), Module::kVision)->files(), *rt.grid.world)
            .hex();
  else
    log::info("the vision encoder has random values: vision.weights is not set");
  *origins = {{"llm", {backbone, ""}},
              {"vision", {encoder, ""}},
              {"bridge", {random(config.model.bridge.init_std), ""}}};
  if (config.model.adapter.every > 0)
    (*origins)["adapter"] = {random(config.model.adapter.init_std), ""};
  return model;
}

}  // namespace lynceus::train
