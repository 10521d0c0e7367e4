// Compares a checkpoint with this run before it takes values from it.
#include "train/run/weight_origins.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <system_error>

#include "core/log.h"
#include "io/checkpoint/reader.h"
#include "model/load_weights.h"
#include "model/parameter_value.h"
#include "parallel/agreement.h"
#include "train/run/init_file.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

/// The key that permits other weights of a module; empty: there is none.
std::string key_of(const std::string& module) {
  if (module == "llm") return "model.weights";
  return module == "vision" ? "vision.weights" : "";
}

bool is_of(const std::string& module, const std::string& tensor) {
  return is_value(tensor) && name_of(model::module_of(tensor)) == module;
}

std::vector<io::CheckpointTensor> values_of(model::LynxModel* model,
                                            const model::ParameterFilter& filter) {
  std::vector<io::CheckpointTensor> values;
  model->visit_parameters([&](Parameter& parameter) {
    if (filter(parameter)) values.push_back(io::checkpoint_tensor(parameter));
  });
  return values;
}

io::LoadedCheckpoint load_from(const Runtime& rt, model::LynxModel* model,
                               const std::string& checkpoint, const model::ParameterFilter& filter,
                               const io::LoadOptions& load) {
  const model::HostTensors values(rt, values_of(model, filter));
  io::LoadedCheckpoint loaded;
  parallel::agree(*rt.grid.world, [&] {
    loaded = io::load_checkpoint(*rt.grid.world, checkpoint, values.tensors(), load);
  });
  values.write_back();
  model::refresh_rounded(rt, model);
  return loaded;
}

/// Loads one module from the checkpoint that the run used when it began.
void load_module(const Runtime& rt, model::LynxModel* model, const std::string& module,
                 const io::FrozenWeights& weights) {
  io::LoadOptions load;
  load.accept = [&](const io::Manifest& manifest) {
    if (const std::string found = module_digest(manifest, module); found != weights.identity)
      throw InputError("{}: expected digest {}, found {}", weights.checkpoint, weights.identity,
                       found);
  };
  load.may_be_unused = [&](const std::string& tensor) { return !is_of(module, tensor); };
  load.may_be_missing = may_be_new;
  try {
    load_from(
        rt, model, weights.checkpoint,
        [&](const Parameter& parameter) { return name_of(parameter.module) == module; }, load);
  } catch (const parallel::AgreedError& error) {
    throw parallel::AgreedError(
        error.code(),
        fmt::format("the frozen {} was loaded from {} and is not saved anywhere else, but: {}",
                    module, weights.checkpoint, error.what()));
  }
}

}  // namespace

bool is_value(const std::string& tensor) { return tensor.ends_with("/value"); }

bool holds(const io::Manifest& manifest, const std::string& module) {
  return std::any_of(manifest.tensors.begin(), manifest.tensors.end(),
                     [&](const io::ManifestTensor& tensor) { return is_of(module, tensor.name); });
}

std::string readable_identity(const std::string& identity) {
  std::istringstream words(identity);
  std::string random, seed, deviation;
  if (!(words >> random >> seed >> deviation) || random != "random") return identity;
  return fmt::format("random (seed {}, std {})", seed, deviation);
}

std::string module_digest(const io::Manifest& manifest, const std::string& module) {
  std::string digests;
  for (const io::ManifestTensor& tensor : manifest.tensors)
    if (is_of(module, tensor.name))
      for (const io::Digest128& block : tensor.blocks) digests += block.hex();
  return io::digest128(digests.data(), digests.size()).hex();
}

std::vector<std::string> differences(const io::Manifest& manifest, const WeightOrigins& mine,
                                     const CheckpointTerms& terms) {
  std::vector<std::string> faults;
  const auto differ = [&](const std::string& what, const std::string& key,
                          const std::string& theirs, const std::string& ours) {
    if (theirs == ours || std::count(terms.allow_change.begin(), terms.allow_change.end(), key) > 0)
      return;
    faults.push_back(fmt::format("{}: the checkpoint has {}, this run {}", what,
                                 theirs.empty() ? "none" : theirs, ours));
  };
  differ("tokenizer", "data.tokenizer", manifest.tokenizer, terms.tokenizer);
  for (const auto& [module, weights] : mine) {
    const auto found = manifest.frozen_weights.find(module);
    if (found == manifest.frozen_weights.end() || !found->second.checkpoint.empty() ||
        holds(manifest, module))
      continue;
    differ("frozen " + module + " weights", key_of(module),
           readable_identity(found->second.identity), readable_identity(weights.identity));
  }
  return faults;
}

void refuse_differences(const std::string& checkpoint, const io::Manifest& manifest,
                        const WeightOrigins& mine, const CheckpointTerms& terms) {
  const std::vector<std::string> faults = differences(manifest, mine, terms);
  if (!faults.empty())
    throw InputError(
        "{} was trained with other files (--allow-change data.tokenizer, model.weights or "
        "vision.weights permits it):\n{}",
        checkpoint, fmt::join(faults, "\n"));
}

void initialize_from(const Runtime& rt, model::LynxModel* model, const std::string& checkpoint,
                     const CheckpointTerms& terms, WeightOrigins* origins) {
  // A checkpoint is a directory; rank 0 checks for all ranks.
  std::error_code ignored;
  const char* mine = fs::is_regular_file(checkpoint, ignored) ? "file" : "";
  if (!rt.grid.world->all_gather(mine)[0].empty())
    return initialize_from_file(rt, model, checkpoint, terms.init_frozen, origins);
  std::set<std::string> elsewhere;  // modules that the checkpoint names but does not contain
  std::string place;                // resolved: a link may later point to another checkpoint
  io::LoadOptions load;
  load.accept = [&](const io::Manifest& manifest) {
    refuse_differences(checkpoint, manifest, *origins, terms);
    for (const auto& [module, weights] : manifest.frozen_weights)
      if (!holds(manifest, module)) elsewhere.insert(module);
    place = fs::canonical(checkpoint).string();
  };
  load.may_be_unused = [](const std::string& tensor) { return !is_value(tensor); };
  load.may_be_missing = [&](const std::string& tensor) {
    return may_be_new(tensor) || elsewhere.contains(name_of(model::module_of(tensor)));
  };
  // The vision encoder is never in a checkpoint.
  const io::LoadedCheckpoint loaded = load_from(
      rt, model, checkpoint,
      [](const Parameter& parameter) { return parameter.module != Module::kVision; }, load);
  for (auto& [module, weights] : *origins)
    if (holds(loaded.manifest, module)) weights = {module_digest(loaded.manifest, module), place};
  load_frozen(rt, model, loaded.manifest, origins);
}

void load_frozen(const Runtime& rt, model::LynxModel* model, const io::Manifest& manifest,
                 WeightOrigins* origins) {
  for (const auto& [module, weights] : manifest.frozen_weights) {
    if (weights.checkpoint.empty() || holds(manifest, module)) continue;
    std::error_code ignored;
    if (fs::is_regular_file(weights.checkpoint, ignored))
      load_module_of_file(rt, model, module, weights);
    else
      load_module(rt, model, module, weights);
    (*origins)[module] = weights;
    log::info("the {} was loaded from {}", module, weights.checkpoint);
  }
}

std::string load_backbone(const Runtime& rt, model::LynxModel* model, const std::string& checkpoint,
                          const CheckpointTerms& terms) {
  io::LoadOptions load;
  load.accept = [&](const io::Manifest& manifest) {
    refuse_differences(checkpoint, manifest, {}, terms);
  };
  load.may_be_unused = [](const std::string& tensor) { return !is_of("llm", tensor); };
  return module_digest(
      load_from(rt, model, checkpoint, model::of_module(Module::kLlm), load).manifest, "llm");
}

void log_random_modules(const model::LynxModel& model, const WeightOrigins& origins) {
  for (const char* module : {"bridge", "adapter"})
    if (const auto found = origins.find(module); found != origins.end() &&
                                                 !model.config.llm.trains(module) &&
                                                 found->second.identity.starts_with("random"))
      log::info("the {} is frozen and has random values: it was not loaded from a checkpoint",
                module);
}

}  // namespace lynceus::train
