// Reads config, weights, inputs and expected values of a case into the types of this project.
#include "verify/reference_case.h"

#include "io/files/json.h"
#include "io/weights/hf_config.h"
#include "io/weights/weight_files.h"
#include "verify/case_checks.h"

namespace lynceus::verify {
namespace {

namespace fs = std::filesystem;

train::OptimizerConfig read_optimizer(const io::Json& training) {
  train::OptimizerConfig optimizer;
  optimizer.lr = training.at("lr").number();
  optimizer.schedule = "constant";
  optimizer.warmup_share = 0;
  optimizer.beta1 = training.at("betas").at(size_t{0}).number();
  optimizer.beta2 = training.at("betas").at(size_t{1}).number();
  optimizer.eps = training.at("eps").number();
  optimizer.weight_decay = training.at("weight_decay").number();
  optimizer.max_grad_norm = training.at("max_grad_norm").number();
  return optimizer;
}

/// One row of a padded batch: masked columns are removed, positions stay those of the padded row.
train::SampleInput read_sample(const fs::path& file, int64_t row, int64_t visual,
                               int64_t vocabulary, int64_t columns, const int64_t* ids,
                               const int64_t* mask, const int64_t* labels,
                               std::vector<int64_t>* padded_columns) {
  train::SampleInput sample;
  sample.index = row;
  for (int64_t v = 0; v < visual; ++v) {
    sample.positions.push_back(static_cast<int32_t>(v));
    padded_columns->push_back(v);
  }
  for (int64_t t = 0; t < columns; ++t) {
    const bool scored = labels[t] != kernels::kNotScored && visual + t > 0;
    // A scored token after a pad would be predicted by the row of the pad, whose attention no
    // packed sequence has.
    if (scored && (mask[t] == 0 || (t > 0 && mask[t - 1] == 0)))
      throw InputError(
          "{}: labels[{}, {}] is scored, but {} is masked: expected scored tokens and the "
          "tokens before them to be attended",
          file.string(), row, t, mask[t] == 0 ? "it" : "the token before it");
    if (mask[t] == 0) continue;
    if (ids[t] < 0 || ids[t] >= vocabulary)
      throw InputError("{}: input_ids[{}, {}] is {}, expected 0 to {}", file.string(), row, t,
                       ids[t], vocabulary - 1);
    if (scored && labels[t] != ids[t])
      throw InputError("{}: labels[{}, {}] is {}, expected {} (the token itself) or -100",
                       file.string(), row, t, labels[t], ids[t]);
    sample.token_ids.push_back(static_cast<int32_t>(ids[t]));
    sample.scored.push_back(scored);
    sample.positions.push_back(static_cast<int32_t>(visual + t));
    padded_columns->push_back(visual + t);
  }
  return sample;
}

ReferenceBatch read_batch(const fs::path& path, const model::ModelConfig& model,
                          const Stream& stream) {
  const io::SafetensorsFile file(path);
  check_inputs(file, model);
  ReferenceBatch batch;
  if (file.has("pixels")) {
    batch.pixels = file.read(stream, "pixels");
    const Shape shape = batch.pixels.shape();
    if (shape.rank() == 4)
      batch.pixels = batch.pixels.reshape({shape[0], 1, shape[1], shape[2], shape[3]});
    batch.frames = batch.pixels.dim(1);
  }
  const bool video = file.has("pixels") && file.entry("pixels").shape.rank() == 5;
  const Tensor ids = file.read(stream, "input_ids");
  const Tensor mask = file.read(stream, "attention_mask");
  const Tensor labels = file.read(stream, "labels");
  const int64_t columns = ids.dim(1), visual = model.visual_tokens(batch.frames);
  batch.columns = visual + columns;
  for (int64_t row = 0; row < ids.dim(0); ++row) {
    std::vector<int64_t> padded_columns;
    const int64_t at = row * columns;
    train::SampleInput sample =
        read_sample(path, row, visual, model.llm.vocab_size, columns, ids.data<int64_t>() + at,
                    mask.data<int64_t>() + at, labels.data<int64_t>() + at, &padded_columns);
    if (batch.frames > 0) sample.item_frames = {batch.frames};
    sample.is_video = video;
    batch.samples.push_back(std::move(sample));
    batch.padded_columns.push_back(std::move(padded_columns));
  }
  return batch;
}

std::vector<double> numbers(const io::Json& array) {
  std::vector<double> values;
  for (const io::Json& value : array.elements()) values.push_back(value.number());
  return values;
}

ReferenceTrajectory read_trajectory(const io::Json& json, const std::string& name,
                                    double max_grad_norm) {
  ReferenceTrajectory trajectory;
  trajectory.name = name;
  trajectory.max_grad_norm = max_grad_norm;
  trajectory.losses = numbers(json.at("losses"));
  trajectory.grad_norms = numbers(json.at("grad_norms_before_clip"));
  if (const auto last = json.find("loss_after_last_step")) trajectory.last_loss = last->number();
  return trajectory;
}

void read_trajectories(const fs::path& directory, ReferenceCase* reference) {
  const fs::path path = directory / "trajectory.json";
  if (!fs::exists(path)) return;
  const io::Json json = io::Json::read(path);
  const double max_grad_norm = reference->optimizer.max_grad_norm;
  reference->trajectories.push_back(read_trajectory(json, "", max_grad_norm));
  if (const auto clipped = json.find("max_grad_norm_1p3"))
    reference->trajectories.push_back(read_trajectory(*clipped, "max_grad_norm 1.3", 1.3));
  if (const auto frozen = json.find("frozen_frame_pos")) {
    reference->trajectories.push_back(
        read_trajectory(*frozen, "frozen frame positions", max_grad_norm));
    reference->trajectories.back().frame_position_trains = false;
  }
  if (const auto untouched = json.find("untouched_parameters"))
    for (const io::Json& name : untouched->elements())
      reference->untouched.push_back(name.string());
}

void read_stats(const fs::path& directory, ReferenceCase* reference) {
  const fs::path path = directory / "stats.json";
  if (!fs::exists(path)) return;
  const io::Json stats = io::Json::read(path);
  if (const auto loss = stats.find("loss_label_smoothing_0p1"))
    reference->smoothed_loss = loss->number();
  for (const char* key : {"final", "final_params"})
    if (const auto final = stats.find(key))
      for (const auto& [name, values] : final->members())
        reference->final_fingerprints[name] = {values.at("sum").number(), values.at("l2").number(),
                                               values.at("cosdot").number()};
}

void read_torch_errors(const fs::path& directory, ReferenceCase* reference) {
  const fs::path path = directory / "bf16_errors.json";
  if (!fs::exists(path)) return;
  const io::Json errors = io::Json::read(path);
  for (const auto& [name, error] : errors.members())
    if (name != "loss" && name != "together") reference->torch_errors[name] = error.number();
}

}  // namespace

model::ModelConfig read_model_config(const io::Json& config, const io::WeightSource& weights) {
  const io::LlamaConfig llama = io::parse_llama_config(config.at("llm"));
  const io::Json lynx = config.at("lynx");
  model::ModelConfig model;
  model.llm.hidden_size = llama.hidden_size;
  model.llm.intermediate_size = llama.intermediate_size;
  model.llm.num_layers = llama.num_hidden_layers;
  model.llm.num_heads = llama.num_attention_heads;
  model.llm.num_kv_heads = llama.num_key_value_heads;
  model.llm.vocab_size = llama.vocab_size;
  model.llm.rms_norm_eps = llama.rms_norm_eps;
  model.llm.rope_theta = llama.rope_theta;
  model.llm.rope_scaling = llama.rope_scaling.to_text();
  model.llm.tie_word_embeddings = llama.tie_word_embeddings;
  if (const auto theta = config.find("rope_theta")) model.llm.rope_theta = theta->number();
  if (const auto trainable = config.find("trainable")) {
    model.llm.train.clear();
    for (const io::Json& module : trainable->elements())
      model.llm.train += (model.llm.train.empty() ? "" : ",") + module.string();
  }
  model.vision = read_vision_config(config.at("vit"));
  model.vision.frame_position = weights.has("absolute_frame_pos_embed");
  if (model.vision.frame_position)
    model.vision.num_frames = weights.shape("absolute_frame_pos_embed")[1];

  const io::Json eps = config.at("layer_norm_eps");
  model.vision.layer_norm_eps = eps.at("vit").number();
  model.bridge.layer_norm_eps = eps.at("bridge").number();
  model.adapter.layer_norm_eps = eps.at("adapter").number();
  model.bridge.kind = lynx.at("bridge").string();
  if (model.bridge.kind == "resampler") {
    model.bridge.num_layers = lynx.at("bridge_depth").integer(0);
    model.bridge.num_latents = lynx.at("num_bridge_tokens").integer(1);
    model.bridge.head_dim = lynx.at("bridge_dim_head").integer(1);
    model.bridge.num_heads = lynx.at("bridge_heads").integer(1);
    if (model.bridge.num_layers > 0 && weights.has("bridge.layers.0.1.1.weight"))
      model.bridge.intermediate_factor =
          weights.shape("bridge.layers.0.1.1.weight")[0] / model.llm.hidden_size;
  } else {
    if (const auto norm = lynx.find("add_vision_ln")) model.bridge.vision_norm = norm->boolean();
    if (model.bridge.kind == "mlp")
      model.bridge.hidden_size = weights.shape("bridge.mlp.0.weight")[0];
  }
  const bool adapters = lynx.at("use_adapter").boolean();
  model.adapter.every = adapters ? lynx.at("adapter_freq").integer(1) : 0;
  const std::string down = "LLM.model.layers.0.output_adapter.adapter_down.weight";
  if (adapters && weights.has(down)) model.adapter.bottleneck_size = weights.shape(down)[0];
  model.validate();
  return model;
}

model::VisionConfig read_vision_config(const io::Json& vit) {
  model::VisionConfig vision;
  vision.image_size = vit.at("img_size").integer(1);
  vision.patch_size = vit.at("patch_size").integer(1);
  vision.hidden_size = vit.at("embed_dim").integer(1);
  vision.num_layers = vit.at("depth").integer(0);
  vision.num_heads = vit.at("num_heads").integer(1);
  vision.intermediate_size = vit.at("mlp_hidden").integer(1);
  vision.layer_norm_eps = vit.at("norm_eps").number();
  return vision;
}

Tensor read_f64(const Stream& stream, const io::SafetensorsFile& file, const std::string& name) {
  Tensor values = Tensor::empty(stream, file.entry(name).shape, DType::kF64, MemoryOwner::kInput);
  file.read(name, {}, values);
  return values;
}

bool is_resolution_case(const fs::path& directory) {
  return io::Json::read(directory / "config.json").find("checkpoint_image_res").has_value();
}

ReferenceCase read_reference_case(const fs::path& directory, const Stream& stream) {
  const io::Json config = io::Json::read(directory / "config.json");
  ReferenceCase reference;
  reference.directory = directory;
  reference.name = config.at("case").string();
  const std::string arch = config.at("arch").string();
  if (arch != "prefix" && arch != "text_only")
    throw InputError("{}: arch: expected prefix or text_only, found {}",
                     (directory / "config.json").string(), arch);
  reference.weights = io::open_weights(directory);
  reference.model = read_model_config(config, *reference.weights);
  reference.optimizer = read_optimizer(config.at("training"));
  reference.label_smoothing = config.at("lynx").at("label_smoothing").number();

  reference.in_turns = config.find("turns").has_value();
  if (reference.in_turns)
    for (size_t step = 0; step < config.at("turns").size(); ++step)
      reference.batches.push_back(read_batch(
          directory / fmt::format("inputs.step{}.safetensors", step), reference.model, stream));
  else
    reference.batches.push_back(
        read_batch(directory / "inputs.safetensors", reference.model, stream));
  if (fs::exists(directory / "expected.safetensors"))
    reference.expected = std::make_unique<io::SafetensorsFile>(directory / "expected.safetensors");
  if (fs::exists(directory / "final.safetensors"))
    reference.final = std::make_unique<io::SafetensorsFile>(directory / "final.safetensors");
  read_trajectories(directory, &reference);
  read_stats(directory, &reference);
  read_torch_errors(directory, &reference);
  check_case(reference);
  return reference;
}

}  // namespace lynceus::verify
