// Finds the modules in a checkpoint and those that it was trained with, then writes them.
#include "export/export.h"

#include <array>
#include <map>

#include "core/log.h"
#include "export/companions.h"
#include "export/export_directory.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/values.h"
#include "io/weights/safetensors_shards.h"
#include "io/weights/shared_digest.h"
#include "model/load_weights.h"
#include "train/run/build_model.h"

namespace lynceus::weight_export {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kModules = {"llm", "adapter", "bridge", "vision"};

/// The configuration of the model and of its files, from the manifest.
struct TrainedModel {
  model::ModelConfig model;
  train::DeltaConfig delta;
  train::DataConfig data;

  template <typename Visitor>
  void visit(Visitor& v) {
    model.visit(v);
    delta.visit(v);
    data.visit(v);
  }
};

TrainedModel model_of(const io::Manifest& manifest, const fs::path& checkpoint) {
  TrainedModel trained;
  ConfigReader reader;
  reader.add(trained);
  for (const auto& [key, value] : manifest.config)
    for (const char* prefix : {"model.", "vision.", "bridge.", "adapter.", "data.tokenizer"})
      if (key.starts_with(prefix)) reader.set(key, value, checkpoint.string());
  reader.check();
  if (!trained.model.llm.given_vocab_size)
    throw InputError("{}: its config has no model.vocab_size", checkpoint.string());
  trained.model.llm.vocab_size = *trained.model.llm.given_vocab_size;
  return trained;
}

/// `path` itself if it is a checkpoint, else the newest intact checkpoint of the run in it.
fs::path find_checkpoint(const fs::path& path) {
  if (io::file_exists(path / io::kManifestName)) return path;
  const std::vector<fs::path> all = io::committed_checkpoints(path);
  for (const fs::path& checkpoint : all) {
    try {
      io::open_checkpoint_values(checkpoint);
      return checkpoint;
    } catch (const InputError& error) {
      log::warn("checkpoint {} is skipped: {}", checkpoint.filename().string(), error.what());
    }
  }
  if (!all.empty())
    throw InputError("{}: the run has {} checkpoint{}, but none is intact", path.string(),
                     all.size(), all.size() == 1 ? "" : "s");
  if (io::file_exists(path / "config.ini") || io::file_exists(path / "checkpoints"))
    throw InputError(
        "{}: the run has no checkpoint yet: expected one in {} (train writes one "
        "every checkpoint.every_minutes and checkpoint.every, at --stop-after and at the end)",
        path.string(), (path / "checkpoints").string());
  throw InputError("{}: expected a checkpoint or a run, found {}", path.string(),
                   io::file_exists(path) ? "neither" : "no such directory");
}

class Exporter {
 public:
  explicit Exporter(const ExportConfig& config)
      : config_(config),
        checkpoint_(find_checkpoint(config.checkpoint)),
        manifest_(io::read_manifest(checkpoint_)),
        trained_(model_of(manifest_, checkpoint_)),
        own_(io::open_checkpoint_values(checkpoint_)),
        dtype_(config.dtype == "f32"    ? DType::kF32
               : config.dtype == "bf16" ? DType::kBf16
                                        : DType::kF16) {}

  ExportAccount run() {
    const bool merged = config_.what == "merged";
    plan(merged);
    uint64_t bytes = 0;
    for (const io::TensorSet& set : sets_) {
      bytes += io::bytes_of(set, dtype_);
      account_.tensors += static_cast<int64_t>(set.items.size());
    }
    ExportDirectory directory(config_.output, config_.overwrite, bytes);
    ByteProgress progress("export", bytes);
    const auto shard = static_cast<uint64_t>(config_.shard_gib * static_cast<double>(1ull << 30));
    const std::map<std::string, std::string> metadata = {
        {"format", "pt"},
        {"software", manifest_.software},
        {"step", std::to_string(manifest_.step)},
        {"samples_seen", std::to_string(manifest_.samples_seen)}};
    for (const io::TensorSet& set : sets_)
      io::write_tensor_set(directory.path(), set, dtype_, shard, metadata, &progress);
    if (merged) write_companions(directory.path());
    progress.finish();
    directory.commit();
    account_.checkpoint = checkpoint_;
    account_.step = manifest_.step;
    account_.bytes = bytes;
    return account_;
  }

 private:
  void plan(bool merged) {
    io::TensorSet lynx{merged ? "lynx" : "model", {}, ""};
    for (const std::string module : kModules) {
      const io::WeightSourcePtr source =
          merged && module != "vision" ? source_of(module) : own_source_of(module);
      if (source == nullptr) continue;
      io::TensorSet backbone{"model", {}, "LLM."};
      const bool apart = merged && module == "llm";
      for (const std::string& name : source->names())
        if (name_of(model::module_of(name)) == module)
          (apart ? backbone : lynx).items.push_back({name, source});
      if (apart) sets_.push_back(std::move(backbone));
    }
    if (!lynx.items.empty()) sets_.push_back(std::move(lynx));
  }

  io::WeightSourcePtr own_source_of(const std::string& module) {
    if (train::holds(manifest_, module)) return own_;
    const auto frozen = manifest_.frozen_weights.find(module);
    if (frozen == manifest_.frozen_weights.end()) return nullptr;
    const std::string& place = frozen->second.checkpoint;
    account_.left_out.push_back(
        fmt::format("the weights of the frozen {} are not included: {}", module,
                    !place.empty() ? "it was loaded from " + place
                    : frozen->second.identity.starts_with("random")
                        ? "it has random values"
                        : "it was loaded from " +
                              std::string(module == "vision" ? "vision" : "model") + ".weights"));
    return nullptr;
  }

  /// The source of a module's values, after their digest was checked.
  io::WeightSourcePtr source_of(const std::string& module) {
    if (train::holds(manifest_, module)) return own_;
    const auto found = manifest_.frozen_weights.find(module);
    if (found == manifest_.frozen_weights.end()) return nullptr;
    const io::FrozenWeights& frozen = found->second;
    const model::LlmConfig& llm = trained_.model.llm;
    const bool in_files = module == "llm" && frozen.checkpoint.empty() && !llm.weights.empty();
    if (in_files) {
      const io::WeightSourcePtr source = train::open_backbone(trained_.model, trained_.delta);
      train::check_backbone(trained_.model, trained_.delta, /*reads_head=*/true);
      const auto self = parallel::make_self_communicator();
      expect_identity(frozen, train::backbone_digest(llm, *source, *self), source->describe());
      return source;
    }
    const std::string place = !frozen.checkpoint.empty() ? frozen.checkpoint
                              : module == "llm"          ? llm.init_from
                                                         : "";
    if (!place.empty() && fs::is_regular_file(place)) {
      io::WeightSourcePtr source =
          train::open_lynx_file(trained_.model, place, /*reads_head=*/false);
      const auto self = parallel::make_self_communicator();
      expect_identity(frozen, io::digest_files(source->files(), *self).hex(), place);
      return source;
    }
    if (!place.empty()) {
      expect_identity(frozen, train::module_digest(io::read_manifest(place), module), place);
      return io::open_checkpoint_values(place);
    }
    if (module == "llm")
      throw InputError(
          "{}: its LLM has random values that were never trained, so it cannot be merged "
          "(--what trainable exports the other modules)",
          checkpoint_.string());
    return own_source_of(module);
  }

  static void expect_identity(const io::FrozenWeights& frozen, const std::string& found,
                              const std::string& place) {
    if (found != frozen.identity)
      throw InputError("{}: not what the checkpoint was trained with: expected digest {}, found {}",
                       place, frozen.identity, found);
  }

  void write_companions(const fs::path& directory) const {
    const io::Tokenizer tokenizer(trained_.data.tokenizer);
    if (tokenizer.describe() != manifest_.tokenizer)
      throw InputError("{}: not the tokenizer of the checkpoint: expected {}, found {}",
                       trained_.data.tokenizer, manifest_.tokenizer, tokenizer.describe());
    write_model_files(directory, trained_.model.llm, tokenizer, config_.dtype);
    write_tokenizer_files(directory, trained_.model.llm, tokenizer);
  }

  const ExportConfig& config_;
  fs::path checkpoint_;
  io::Manifest manifest_;
  TrainedModel trained_;
  io::WeightSourcePtr own_;
  DType dtype_;
  std::vector<io::TensorSet> sets_;
  ExportAccount account_;
};

}  // namespace

void ExportConfig::check(ConfigFaults* faults) const {
  faults->expect(!checkpoint.empty(), "checkpoint", "a run or a checkpoint", "none");
  faults->expect(!output.empty(), "output", "a directory to create", "none");
  faults->expect(shard_gib >= 0, "shard-gib", "0 or more", shard_gib);
}

ExportAccount export_checkpoint(const ExportConfig& config) {
  refuse_existing(config.output, config.overwrite);
  return Exporter(config).run();
}

}  // namespace lynceus::weight_export
