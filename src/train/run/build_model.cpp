// Opens weight files under Lynx's names and fills the model from them.
#include "train/run/build_model.h"

#include "core/log.h"
#include "io/weights/eva_weights.h"
#include "io/weights/hf_config.h"
#include "io/weights/pad_row.h"
#include "io/weights/shared_digest.h"
#include "io/weights/summed_weights.h"
#include "io/weights/weight_files.h"
#include "model/load_weights.h"
#include "train/under_key.h"

namespace lynceus::train {

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

io::WeightSourcePtr open_encoder(const model::VisionConfig& config) {
  io::WeightSourcePtr source =
      under_key("vision.weights", [&] { return io::open_weights(config.weights); });
  source = io::vision_tower(std::move(source));
  if (io::has_fused_qkv(*source)) source = io::split_fused_qkv(std::move(source));
  for (const std::string& name : source->names())
    if (model::module_of(name) == Module::kVision) return source;
  source = io::without_unused_ends(std::move(source), config.num_layers);
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
  model::initialize(rt, &model, config.train.seed);
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
    backbone =
        backbone_digest(llm, *load(open_backbone(llm, config.delta), Module::kLlm), *rt.grid.world);
  else if (!llm.init_from.empty())
    backbone = load_backbone(rt, &model, llm.init_from, {tokenizer, config.options.allow_change});
  else
    log::info("the LLM starts from random values: model.weights is not set");
  std::string encoder = random(vision.init_std);
  if (!vision.weights.empty())
    encoder = io::digest_files(load(open_encoder(vision), Module::kVision)->files(), *rt.grid.world)
                  .hex();
  else
    log::info("the vision encoder has random values: vision.weights is not set");
  *origins = {{"llm", {backbone, ""}},
              {"vision", {encoder, ""}},
              {"bridge", {random(config.model.bridge.init_std), ""}}};
  if (config.model.adapter.every > 0)
    (*origins)["adapter"] = {random(config.model.adapter.init_std), ""};
  model.pack(rt);
  return model;
}

}  // namespace lynceus::train
