// Compares the frozen tensors of a file of weights with those of the run before it takes others.
#include "train/run/init_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <vector>

#include "core/log.h"
#include "io/weights/shared_digest.h"
#include "model/load_weights.h"
#include "parallel/agreement.h"
#include "train/run/build_model.h"

namespace lynceus::train {
namespace {

constexpr const char* kFramePosition = "absolute_frame_pos_embed";

/// The file and the modules that are in it.
struct WeightFile {
  io::WeightSourcePtr source;
  std::set<std::string> taken;                 ///< modules whose values the run takes
  std::set<std::string> compared;              ///< frozen modules that keep their values
  std::vector<std::string> names_of_compared;  ///< their tensors
};

WeightFile open_file(const model::LynxModel& model, const std::string& path, bool take_frozen,
                     bool reads_head) {
  WeightFile file;
  file.source = open_lynx_file(model.config, path, reads_head);
  for (const std::string& name : file.source->names()) {
    const std::string module = name_of(model::module_of(name));
    if (take_frozen || model.config.llm.trains(module)) {
      file.taken.insert(module);
    } else {
      file.compared.insert(module);
      file.names_of_compared.push_back(name);
    }
  }
  return file;
}

void check_names(const model::LynxModel& model, const WeightFile& file) {
  const std::vector<io::ExpectedTensor> expected =
      model::expected_tensors(model.config, [&](const Parameter& parameter) {
        return file.taken.contains(name_of(parameter.module)) &&
               (file.source->has(parameter.name) || !may_be_new(parameter.name));
      });
  std::vector<std::string> ignored = io::kIgnoredWeights;
  ignored.insert(ignored.end(), file.names_of_compared.begin(), file.names_of_compared.end());
  io::match_weights(*file.source, expected, ignored);
  if (std::none_of(file.taken.begin(), file.taken.end(),
                   [&](const std::string& module) { return model.config.llm.trains(module); }))
    throw InputError("{}: expected a module that this run trains (model.train), found none",
                     file.source->describe());
}

/// "the largest difference is 0.25 in NAME", or which tensor has another shape.
std::string describe_most(const model::LynxModel& model, const WeightFile& file,
                          const std::vector<model::DifferingTensor>& differing) {
  const auto most =
      std::max_element(differing.begin(), differing.end(),
                       [](const auto& a, const auto& b) { return a.largest < b.largest; });
  const Shape found = file.source->shape(most->name);
  for (const io::ExpectedTensor& tensor : model::expected_tensors(
           model.config, [&](const Parameter& parameter) { return parameter.name == most->name; }))
    if (std::isinf(most->largest) && !(tensor.shape == found))
      return fmt::format("{} has the shape {} in the file and {} in this run", most->name,
                         found.to_string(), tensor.shape.to_string());
  return fmt::format("the largest difference is {:.3g} in {}", most->largest, most->name);
}

void compare_frozen(const Runtime& rt, model::LynxModel* model, const WeightFile& file) {
  if (file.compared.empty()) return;
  const std::vector<model::DifferingTensor> differing =
      model::differing_tensors(rt, model, *file.source, [&](const Parameter& parameter) {
        return file.compared.contains(name_of(parameter.module)) &&
               file.source->has(parameter.name);
      });
  const std::string modules = fmt::format("{}", fmt::join(file.compared, " and "));
  if (differing.empty())
    return log::info("the frozen {} in {} equals that of this run", modules,
                     file.source->describe());
  throw parallel::AgreedError(
      ExitCode::kInput,
      fmt::format("{}: {} frozen tensor{} of the file differ{} from this run, the first is {}, {}: "
                  "set model.weights and vision.weights to those that the file was trained with, "
                  "or take the frozen {} from the file with --init-frozen",
                  file.source->describe(), differing.size(), differing.size() == 1 ? "" : "s",
                  differing.size() == 1 ? "s" : "", differing.front().name,
                  describe_most(*model, file, differing), modules));
}

/// Whether the model has frame positions, on any rank's stage: the bridge is on all.
bool has_frame_position(model::LynxModel* model) {
  bool found = false;
  model->visit_parameters(
      [&](Parameter& parameter) { found = found || parameter.name == kFramePosition; });
  return found;
}

}  // namespace

bool may_be_new(const std::string& tensor) { return tensor.starts_with(kFramePosition); }

void initialize_from_file(const Runtime& rt, model::LynxModel* model, const std::string& path,
                          bool take_frozen, WeightOrigins* origins) {
  WeightFile file;
  parallel::agree(*rt.grid.world, [&] {
    file = open_file(*model, path, take_frozen, /*reads_head=*/rt.grid.world->rank() == 0);
    check_names(*model, file);
  });
  compare_frozen(rt, model, file);
  const io::WeightSource& source = *file.source;
  model::load_weights(rt, model, source, [&](const Parameter& parameter) {
    return file.taken.contains(name_of(parameter.module)) && source.has(parameter.name);
  });
  const std::string digest = io::digest_files(source.files(), *rt.grid.world).hex();
  for (const std::string& module : file.taken) {
    const bool trains = model->config.llm.trains(module);
    // A frozen module is not in the run's checkpoints: a resume reads it from here again.
    (*origins)[module] = {digest, trains ? "" : std::filesystem::canonical(path).string()};
    log::info("the {}{} was loaded from {}", trains ? "" : "frozen ", module, source.describe());
  }
  if (file.taken.contains("bridge") && !source.has(kFramePosition) && has_frame_position(model))
    log::info("{} has no {}: the frame positions keep their random values", source.describe(),
              kFramePosition);
}

void load_module_of_file(const Runtime& rt, model::LynxModel* model, const std::string& module,
                         const io::FrozenWeights& weights) {
  io::WeightSourcePtr source;
  parallel::agree(*rt.grid.world, [&] {
    source = open_lynx_file(model->config, weights.checkpoint, /*reads_head=*/false);
  });
  const std::string found = io::digest_files(source->files(), *rt.grid.world).hex();
  if (found != weights.identity)
    throw parallel::AgreedError(
        ExitCode::kInput,
        fmt::format("{}: the frozen {} was taken from this file (--init-frozen), but it has "
                    "changed: expected digest {}, found {}",
                    weights.checkpoint, module, weights.identity, found));
  model::load_weights(rt, model, *source, [&](const Parameter& parameter) {
    return name_of(parameter.module) == module && source->has(parameter.name);
  });
}

}  // namespace lynceus::train
