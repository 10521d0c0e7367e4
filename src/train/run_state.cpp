// What checkpoints hold of a run, and what a resume compares before it accepts one. Used by the
// trainer and `lynceus evaluate`.
#include "train/run_state.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "io/digest.h"
#include "model/load_weights.h"

#ifndef LYNCEUS_VERSION
#define LYNCEUS_VERSION "unknown"
#endif

namespace lynceus {
namespace {

namespace fs = std::filesystem;

/// Optional trailing parts of names in a checkpoint: ".../value" only.
bool is_value(const std::string& name) { return name.ends_with("/value"); }

int64_t parse_step(const std::string& text) {
  int64_t step = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), step);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    throw UsageError("resume: expected auto, never or a step, found '{}'", text);
  return step;
}

/// The checkpoint that --resume names: the newest whole one, or that of a step. What is wrong with
/// it every rank learns alike, and one tells it.
std::optional<io::LoadedCheckpoint> load_asked(const Runtime& rt, const RunOptions& options,
                                               std::span<const io::CheckpointTensor> tensors,
                                               const io::LoadOptions& load) {
  std::optional<io::LoadedCheckpoint> loaded;
  parallel::Communicator& world = *rt.grid.world;
  parallel::agree(world, [&] {
    if (options.resume == "auto")
      loaded = io::load_newest_checkpoint(world, options.run, tensors, load);
    else
      loaded = io::load_checkpoint(
          world, io::checkpoint_path(options.run, parse_step(options.resume)), tensors, load);
  });
  return loaded;
}

/// The same for a checkpoint of another run.
io::LoadedCheckpoint load_from(const Runtime& rt, const std::string& checkpoint,
                               std::span<const io::CheckpointTensor> tensors,
                               const io::LoadOptions& load) {
  io::LoadedCheckpoint loaded;
  parallel::agree(*rt.grid.world,
                  [&] { loaded = io::load_checkpoint(*rt.grid.world, checkpoint, tensors, load); });
  return loaded;
}

std::vector<std::string> texts_of(const std::vector<ConfigValue>& config, const std::string& key) {
  std::vector<std::string> texts;
  for (const ConfigValue& value : config)
    if (value.key == key) texts.push_back(value.value);
  return texts;
}

}  // namespace

std::string software_version() { return "lynceus " LYNCEUS_VERSION; }

bool may_change_on_resume(const std::string& key) {
  if (key.find('.') == std::string::npos) return true;  // --run, --device, ...
  for (const char* section : {"log.", "checkpoint.", "parallel."})
    if (key.starts_with(section)) return true;
  static constexpr const char* kKeys[] = {
      "train.micro_batch_tokens", "train.vision_window",      "train.recompute",
      "train.validate_every",     "train.validation_samples", "vision.images_per_pass",
      "data.loader_threads",      "data.validation",          "data.max_bad"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

std::vector<io::CheckpointTensor> RunState::tensors() const {
  std::vector<io::CheckpointTensor> tensors;
  for (const TrainedParameter& trained : optimizer_->parameters()) {
    tensors.push_back(io::checkpoint_tensor(*trained.parameter));
    tensors.push_back(io::checkpoint_tensor(*trained.parameter, "m", trained.m));
    tensors.push_back(io::checkpoint_tensor(*trained.parameter, "v", trained.v));
  }
  return tensors;
}

io::SaveResult RunState::save(io::CheckpointStore* store, const RunPosition& position) const {
  io::Manifest manifest;
  manifest.step = position.step;
  manifest.samples_seen = position.samples_seen;
  manifest.software = software_version();
  for (const ConfigValue& value : identity_.config)
    manifest.config.push_back({value.key, value.value});
  manifest.seeds["train.seed"] = identity_.seed;
  manifest.frozen_weights = identity_.frozen_weights;
  manifest.tokenizer = identity_.tokenizer;
  manifest.datasets = identity_.datasets;
  // Each stage knows the counts of its own parameters; the manifest has them all.
  std::string mine;
  for (const TrainedParameter& trained : optimizer_->parameters())
    mine += fmt::format("{} {}\n", trained.parameter->name, trained.steps);
  for (const std::string& text : rt_.grid.world->all_gather(mine)) {
    std::istringstream lines(text);
    std::string name;
    int64_t steps = 0;
    while (lines >> name >> steps) manifest.parameter_steps[name] = steps;
  }
  return store->save(std::move(manifest), tensors());
}

void RunState::accept(const io::Manifest& manifest, const RunOptions& options) const {
  std::vector<std::string> faults;
  const auto differ = [&](const std::string& what, const std::string& theirs,
                          const std::string& mine) {
    if (theirs != mine)
      faults.push_back(fmt::format("{}: the checkpoint has {}, this run {}", what,
                                   theirs.empty() ? "nothing" : theirs,
                                   mine.empty() ? "nothing" : mine));
  };
  std::vector<ConfigValue> theirs;
  for (const auto& [key, value] : manifest.config) theirs.push_back({key, value, ""});
  std::vector<std::string> keys;
  const std::vector<ConfigValue>* const both[] = {&identity_.config, &theirs};
  for (const auto* config : both)
    for (const ConfigValue& value : *config)
      if (std::find(keys.begin(), keys.end(), value.key) == keys.end()) keys.push_back(value.key);
  for (const std::string& key : keys) {
    const auto& allowed = options.allow_change;
    if (may_change_on_resume(key) || std::count(allowed.begin(), allowed.end(), key) > 0) continue;
    const auto a = texts_of(theirs, key), b = texts_of(identity_.config, key);
    differ(key, fmt::format("{}", fmt::join(a, " ")), fmt::format("{}", fmt::join(b, " ")));
  }
  differ("frozen weights", manifest.frozen_weights, identity_.frozen_weights);
  differ("tokenizer", manifest.tokenizer, identity_.tokenizer);
  for (const auto& [name, fingerprint] : identity_.datasets) {
    const auto found = manifest.datasets.find(name);
    differ("data.source " + name, found == manifest.datasets.end() ? "" : found->second,
           fingerprint);
  }
  if (!faults.empty())
    throw UsageError("cannot resume from step {} (--allow-change KEY permits a key to differ):\n{}",
                     manifest.step, fmt::join(faults, "\n"));
}

std::optional<RunPosition> RunState::resume(const RunOptions& options) const {
  if (options.resume == "never") return std::nullopt;
  io::LoadOptions load;
  load.accept = [&](const io::Manifest& manifest) { accept(manifest, options); };
  const auto loaded = load_asked(rt_, options, tensors(), load);
  if (!loaded) return std::nullopt;
  for (TrainedParameter& trained : optimizer_->parameters()) {
    const auto found = loaded->manifest.parameter_steps.find(trained.parameter->name);
    trained.steps = found == loaded->manifest.parameter_steps.end() ? 0 : found->second;
  }
  return RunPosition{loaded->manifest.step, loaded->manifest.samples_seen};
}

void RunState::initialize_from(const std::string& checkpoint) const {
  std::vector<io::CheckpointTensor> values;
  for (const TrainedParameter& trained : optimizer_->parameters())
    values.push_back(io::checkpoint_tensor(*trained.parameter));
  io::LoadOptions load;
  load.may_be_unused = [](const std::string& name) { return !is_value(name); };
  // A stage without video has no frame positions to give.
  load.may_be_missing = [](const std::string& name) {
    return name.starts_with("absolute_frame_pos_embed");
  };
  load_from(rt_, checkpoint, values, load);
}

int64_t load_trained(const Runtime& rt, LynxModel* model, const RunOptions& options) {
  std::vector<io::CheckpointTensor> values;
  model->visit_parameters([&](Parameter& parameter) {
    if (parameter.trainable()) values.push_back(io::checkpoint_tensor(parameter));
  });
  io::LoadOptions load;
  load.may_be_unused = [](const std::string& name) { return !is_value(name); };
  const auto loaded = load_asked(rt, options, values, load);
  if (!loaded)
    throw parallel::AgreedError(ExitCode::kInput,
                                fmt::format("{}: no committed checkpoint", options.run));
  return loaded->manifest.step;
}

std::string load_backbone(const Runtime& rt, LynxModel* model, const std::string& checkpoint) {
  std::vector<io::CheckpointTensor> values;
  model->visit_parameters([&](Parameter& parameter) {
    if (is_backbone(parameter.name)) values.push_back(io::checkpoint_tensor(parameter));
  });
  io::LoadOptions load;
  load.may_be_unused = [](const std::string& name) {
    return !is_value(name) || !is_backbone(name);
  };
  const io::LoadedCheckpoint loaded = load_from(rt, checkpoint, values, load);
  std::string digests;
  for (const io::ManifestTensor& tensor : loaded.manifest.tensors)
    if (is_value(tensor.name) && is_backbone(tensor.name))
      for (const io::Digest128& block : tensor.blocks) digests += block.hex();
  return io::digest128(digests.data(), digests.size()).hex();
}

}  // namespace lynceus
