// What a run is made of before its first step: config, tokenizer, datasets, model with its weights.
// Shared by `train` and `evaluate`.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "io/weights/weights.h"
#include "train/data/batch_loader.h"
#include "train/run/run_options.h"
#include "train/run/run_state.h"
#include "train/step/step.h"

namespace lynceus::train {

/// Vicuna as a difference from LLaMA: a key of [model] that only whoever opens its files needs.
struct DeltaConfig {
  std::string weights_delta;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.section("model", "the LLM: LLaMA family");
    v.field("model.weights_delta", weights_delta,
            "what is added to model.weights, tensor by tensor (a Vicuna given as a delta); empty: "
            "nothing");
  }
};

/// Every section of the configuration.
struct RunConfig {
  RunOptions options;
  model::ModelConfig model;
  DeltaConfig delta;
  DataConfig data;
  ParallelConfig parallel;
  TrainConfig train;
  OptimizerConfig optimizer;
  CheckpointConfig checkpoint;
  LogConfig log;

  template <typename Visitor>
  void visit(Visitor& v) {
    options.visit(v);
    model.visit(v);
    delta.visit(v);
    data.visit(v);
    parallel.visit(v);
    train.visit(v);
    optimizer.visit(v);
    checkpoint.visit(v);
    log.visit(v);
  }
  /// UsageError that lists every value that cannot be, before any file is opened.
  void validate() const;
};

/// The datasets of a run and what turns them into tokens.
struct RunData {
  std::unique_ptr<io::Tokenizer> tokenizer;
  std::vector<io::Dataset> training, validation;
  std::vector<double> weights;      ///< of the training sets
  std::vector<std::string> absent;  ///< names of the mixture's that are not there
  io::PromptStyle style;
  /// The lists that data.prompts leaves of the families of these sets, by name; held-out sets have
  /// the first wordings alone, so that scores compare.
  std::map<std::string, io::PromptList> prompts, held_out_prompts;
  std::vector<std::string> families, held_out_families;  ///< by set; empty: none

  TextOptions text(const RunConfig& config, bool training) const;
  /// What a resume compares of each training set: its content and its prompts.
  std::map<std::string, std::string> fingerprints() const;
  /// Who is in the mixture with which share and prompts, and who is not; one line.
  std::string describe() const;
  static std::vector<const io::Dataset*> pointers(const std::vector<io::Dataset>& datasets);
};

/// Opens everything that data.* names and looks at every sample's media count. Not collective;
/// errors are the caller's to agree on.
RunData open_data(const RunConfig& config, bool with_training);

/// The LLM's tensors that model.weights and model.weights_delta name, under Lynx's names, [PAD]
/// row included.
io::WeightSourcePtr open_backbone(const model::LlmConfig& config, const DeltaConfig& delta);
/// What tells them from others, as checkpoints keep it. Collective.
std::string backbone_digest(const model::LlmConfig& config, const io::WeightSource& source,
                            parallel::Communicator& world);

/// Fills in what the config leaves to files and to the world: config.json of model.weights, whose
/// numbers win over given ones, vocab_size = auto, parallel.data = 0. `reader` has filled `config`
/// and shows the resolved values from here on. Then validates the whole model and its layout.
void resolve_config(RunConfig* config, ConfigReader* reader, const io::Tokenizer& tokenizer,
                    const Runtime& rt);

/// Builds the model and fills it: random values, then the backbone's, the encoder's weights where
/// the config names them. Collective. `tokenizer` is Tokenizer::describe(); `origins` says of each
/// module where its values come from.
model::LynxModel build_model(const Runtime& rt, const RunConfig& config,
                             const std::string& tokenizer, WeightOrigins* origins);

/// Throws on every rank, naming rank and key, if configs, program or data differ between ranks.
/// Collective.
void check_same_everywhere(const Runtime& rt, const RunIdentity& identity);

StepOptions step_options(const RunConfig& config);
BatchLimits batch_limits(const RunConfig& config);
io::TransformConfig transform_config(const RunConfig& config, bool training);
/// data.loader_threads, or what fits this rank's cores.
int loader_threads(const Runtime& rt, const RunConfig& config);

}  // namespace lynceus::train
