// What a checkpoint contains, and what a resume compares before it accepts one.
#include "train/run/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/log.h"
#include "core/version.h"
#include "io/checkpoint/reader.h"
#include "parallel/agreement.h"
#include "train/run/checkpoint_choice.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

int64_t parse_step(const std::string& text) {
  int64_t step = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), step);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    throw UsageError("resume: expected auto, never or a step, found '{}'", text);
  return step;
}

/// The checkpoint that --resume selects: the newest intact one, or that of a step. Errors are
/// agreed.
std::optional<io::LoadedCheckpoint> load_selected(const Runtime& rt, const RunOptions& options,
                                                  std::span<const io::CheckpointTensor> tensors,
                                                  const io::LoadOptions& load) {
  std::optional<io::LoadedCheckpoint> loaded;
  parallel::Communicator& world = *rt.grid.world;
  if (options.resume != "auto") expect_checkpoint(world, options.run, parse_step(options.resume));
  parallel::agree(world, [&] {
    if (options.resume == "auto")
      loaded = io::load_newest_checkpoint(world, options.run, tensors, load);
    else
      loaded = io::load_checkpoint(
          world, io::checkpoint_path(options.run, parse_step(options.resume)), tensors, load);
  });
  return loaded;
}

/// One sentence for each dataset that differs between a checkpoint and a run.
std::vector<std::string> differences_of_data(const std::map<std::string, std::string>& theirs,
                                             const std::map<std::string, std::string>& mine) {
  std::vector<std::string> faults;
  for (const auto& [name, fingerprint] : mine) {
    const auto found = theirs.find(name);
    if (found == theirs.end())
      faults.push_back(fmt::format(
          "data.source {}: the checkpoint was trained without it, this run has it", name));
    else if (found->second != fingerprint)
      faults.push_back(fmt::format("data.source {}: the checkpoint has {}, this run {}", name,
                                   found->second, fingerprint));
  }
  for (const auto& [name, fingerprint] : theirs)
    if (!mine.contains(name))
      faults.push_back(fmt::format(
          "data.source {}: the checkpoint was trained with it, this run does not have it", name));
  return faults;
}

std::string text_of(const std::vector<ConfigValue>& config, const std::string& key) {
  std::vector<std::string> texts;
  for (const ConfigValue& value : config)
    if (value.key == key) texts.push_back(value.value);
  const std::string text = fmt::format("{}", fmt::join(texts, " "));
  return text.empty() ? "none" : text;
}

/// Whether `config` has the key, and only with its default.
bool has_default(const std::vector<ConfigValue>& config, const std::string& key) {
  bool found = false;
  for (const ConfigValue& value : config) {
    if (value.key != key) continue;
    if (value.origin != "default") return false;
    found = true;
  }
  return found;
}

/// " (from FILE:LINE)" for a value of a file, which the user may not have in mind; else empty.
std::string origin_of(const std::vector<ConfigValue>& config, const std::string& key) {
  for (const ConfigValue& value : config)
    if (value.key == key && value.origin.find(".ini:") != std::string::npos)
      return fmt::format(" (from {})", value.origin);
  return "";
}

/// A key with different values in a checkpoint and in a run; "none": without a value.
struct ConfigDifference {
  std::string key, theirs, mine;
};

std::vector<ConfigDifference> config_differences(const io::Manifest& manifest,
                                                 const std::vector<ConfigValue>& mine) {
  std::vector<ConfigValue> theirs;
  for (const auto& [key, value] : manifest.config) theirs.push_back({key, value, ""});
  std::vector<std::string> keys;
  for (const auto* config : {&mine, &std::as_const(theirs)})
    for (const ConfigValue& value : *config)
      if (std::find(keys.begin(), keys.end(), value.key) == keys.end()) keys.push_back(value.key);
  std::vector<ConfigDifference> found;
  for (const std::string& key : keys) {
    // A version that did not have the key yet did what its default does.
    const bool is_new = std::none_of(theirs.begin(), theirs.end(),
                                     [&](const ConfigValue& value) { return value.key == key; });
    if (is_new && has_default(mine, key)) continue;
    ConfigDifference difference{key, text_of(theirs, key), text_of(mine, key)};
    if (difference.theirs != difference.mine) found.push_back(std::move(difference));
  }
  return found;
}

}  // namespace

bool may_change_on_resume(const std::string& key) {
  for (const char* section : {"log.", "checkpoint.", "parallel.", "watchdog."})
    if (key.starts_with(section)) return true;
  static constexpr const char* kKeys[] = {
      // What this start does, and where; precision must not differ.
      "run", "resume", "stop-after", "init", "init-frozen", "take-over", "restart-anyway",
      "allow-change", "device", "transport", "gemm",
      // How the work is divided.
      "train.micro_batch_tokens", "train.vision_window", "train.recompute",
      "vision.images_per_pass", "data.loader_threads",
      // Where the data is; its content is compared.
      "data.root", "data.missing",
      // Validation, and when to give up: neither changes what is trained.
      "train.validate_every", "train.validation_samples", "train.sample_prompts",
      "train.digest_every", "data.validation", "data.max_bad",
      // When this start ends.
      "train.max_hours",
      // What is done about numbers that are not finite, which a run may learn to need.
      "train.nonfinite", "train.nonfinite_limit"};
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

io::Manifest RunState::manifest_of(const RunPosition& position) const {
  io::Manifest manifest;
  manifest.step = position.step;
  manifest.samples_seen = position.samples_seen;
  manifest.software = software_version();
  for (const ConfigValue& value : identity_.config)
    manifest.config.push_back({value.key, value.value});
  manifest.seeds["train.seed"] = identity_.seed;
  manifest.damaged_samples = position.damaged_samples;
  manifest.left_out = position.left_out;
  for (const auto& [module, weights] : identity_.origins)
    if (!model_->config.llm.trains(module)) manifest.frozen_weights[module] = weights;
  manifest.tokenizer = identity_.tokenizer;
  manifest.prompt_template = identity_.prompt_template;
  manifest.datasets = identity_.datasets;
  // Each stage knows the step counts of its own parameters; the manifest needs all of them.
  std::string mine;
  for (const TrainedParameter& trained : optimizer_->parameters())
    mine += fmt::format("{} {}\n", trained.parameter->name, trained.steps);
  for (const std::string& text : rt_.grid.world->all_gather(mine)) {
    std::istringstream lines(text);
    std::string name;
    int64_t steps = 0;
    while (lines >> name >> steps) manifest.parameter_steps[name] = steps;
  }
  return manifest;
}

io::SaveResult RunState::save(io::CheckpointStore* store, const RunPosition& position) const {
  return store->save(manifest_of(position), model::HostTensors(rt_, tensors()).tensors());
}

io::Snapshot RunState::take_snapshot(io::CheckpointStore* store, const RunPosition& position,
                                     const io::StagingMemory& memory) const {
  return store->take_snapshot(manifest_of(position), tensors(), memory);
}

void RunState::accept(const io::Manifest& manifest, const RunOptions& options) const {
  std::vector<std::string> faults;
  const auto allowed = [&](const std::string& key) {
    return std::count(options.allow_change.begin(), options.allow_change.end(), key) > 0;
  };
  for (const ConfigDifference& found : config_differences(manifest, identity_.config))
    if (!may_change_on_resume(found.key) && !allowed(found.key))
      faults.push_back(fmt::format("{}: the checkpoint has {}, this run {}{}", found.key,
                                   found.theirs, found.mine,
                                   origin_of(identity_.config, found.key)));
  if (!manifest.prompt_template.empty() && !allowed("data.prompt") &&
      manifest.prompt_template != identity_.prompt_template)
    faults.push_back(fmt::format("prompt template: the checkpoint has {}, this run {}",
                                 manifest.prompt_template, identity_.prompt_template));
  for (const std::string& fault :
       differences(manifest, identity_.origins, {identity_.tokenizer, /*allow_change=*/{}}))
    faults.push_back(fault + " (--allow-change cannot permit this)");
  const bool same_config = faults.empty();
  if (!allowed("data.source") && !allowed("data.mixture"))
    for (std::string& fault : differences_of_data(manifest.datasets, identity_.datasets))
      faults.push_back(std::move(fault));
  if (faults.empty()) return;
  const std::string message = fmt::format(
      "cannot resume from step {}: these keys have changed. Restore them, pass "
      "--allow-change KEY, or choose another --run:\n{}",
      manifest.step, fmt::join(faults, "\n"));
  // The same command with other files.
  if (same_config) throw InputError("{}", message);
  throw UsageError("{}", message);
}

std::optional<RunPosition> RunState::resume(const RunOptions& options) {
  if (options.resume == "never") return std::nullopt;
  io::LoadOptions load;
  load.accept = [&](const io::Manifest& manifest) { accept(manifest, options); };
  const model::HostTensors values(rt_, tensors());
  const auto loaded = load_selected(rt_, options, values.tensors(), load);
  if (!loaded) return std::nullopt;
  RunPosition position = take(loaded->manifest, values);
  load_frozen(rt_, model_, loaded->manifest, &identity_.origins);
  for (const ConfigDifference& found : config_differences(loaded->manifest, identity_.config))
    log::info("changed since the checkpoint: {} from {} to {}", found.key, found.theirs,
              found.mine);
  return position;
}

RunPosition RunState::take(const io::Manifest& manifest, const model::HostTensors& values) const {
  values.write_back();
  model::refresh_rounded(rt_, model_);
  for (TrainedParameter& trained : optimizer_->parameters()) {
    const auto found = manifest.parameter_steps.find(trained.parameter->name);
    trained.steps = found == manifest.parameter_steps.end() ? 0 : found->second;
  }
  return {manifest.step, manifest.samples_seen, manifest.damaged_samples, manifest.left_out};
}

RunPosition RunState::roll_back(const RunOptions& options) const {
  RunOptions newest = options;
  newest.resume = "auto";
  const model::HostTensors values(rt_, tensors());
  const auto loaded = load_selected(rt_, newest, values.tensors(), {});
  if (!loaded)
    throw parallel::AgreedError(ExitCode::kNumeric,
                                fmt::format("{}: no committed checkpoint", options.run));
  return take(loaded->manifest, values);
}

void RunState::initialize_from(const RunOptions& options) {
  const std::string checkpoint = checkpoint_to_start_from(*rt_.grid.world, options.init);
  train::initialize_from(rt_, model_, checkpoint,
                         {identity_.tokenizer, options.allow_change, options.init_frozen},
                         &identity_.origins);
  log::info("initialized from {}", checkpoint);
  parallel::agree(*rt_.grid.world, [&] {
    const std::string own = (fs::canonical(options.run) / "checkpoints" / "").string();
    for (const auto& [module, weights] : identity_.origins)
      if (!model_->config.llm.trains(module) && weights.checkpoint.starts_with(own))
        throw UsageError(
            "init: the frozen {} is only in {}, a checkpoint of this run that will be deleted when "
            "newer ones are saved: choose another --run",
            module, weights.checkpoint);
  });
}

int64_t load_trained(const Runtime& rt, model::LynxModel* model, const RunOptions& options,
                     const std::string& tokenizer, WeightOrigins* origins) {
  std::vector<io::CheckpointTensor> trained;
  model->visit_parameters([&](Parameter& parameter) {
    if (parameter.trainable()) trained.push_back(io::checkpoint_tensor(parameter));
  });
  const model::HostTensors values(rt, std::move(trained));
  io::LoadOptions load;
  load.accept = [&](const io::Manifest& manifest) {
    refuse_differences(fmt::format("the checkpoint of step {}", manifest.step), manifest, *origins,
                       {tokenizer, options.allow_change});
  };
  load.may_be_unused = [](const std::string& name) { return !is_value(name); };
  const auto loaded = load_selected(rt, options, values.tensors(), load);
  if (!loaded)
    throw parallel::AgreedError(ExitCode::kInput,
                                fmt::format("{}: no committed checkpoint", options.run));
  values.write_back();
  model::refresh_rounded(rt, model);
  load_frozen(rt, model, loaded->manifest, origins);
  return loaded->manifest.step;
}

}  // namespace lynceus::train
