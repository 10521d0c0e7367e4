// The state of a run in its checkpoints: trained values, moments, per-parameter steps, samples
// seen, and everything that a resume must agree with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config/config.h"
#include "io/checkpoint/writer.h"
#include "model/parameter_value.h"
#include "train/run/run_options.h"
#include "train/run/weight_origins.h"
#include "train/step/optimizer.h"

namespace lynceus::train {

/// How far a run is.
struct RunPosition {
  int64_t step = 0;  ///< optimizer steps done
  int64_t samples_seen = 0;
  int64_t damaged_samples = 0;  ///< of the samples seen: replaced and not scored
  /// Steps whose update was left out because a number was not finite. Samples of those that were
  /// rolled back are not among the samples seen.
  std::vector<io::LeftOutStep> left_out = {};
};

/// What a resume compares.
struct RunIdentity {
  std::vector<ConfigValue> config;
  uint64_t seed = 0;
  WeightOrigins origins;
  std::string tokenizer;        ///< Tokenizer::describe()
  std::string prompt_template;  ///< describe_template()
  std::map<std::string, std::string> datasets;
};

class RunState {
 public:
  RunState(const Runtime& rt, model::LynxModel* model, Optimizer* optimizer, RunIdentity identity)
      : rt_(rt), model_(model), optimizer_(optimizer), identity_(std::move(identity)) {}

  /// Collective: commits a checkpoint of `position`; the result says why if it could not.
  io::SaveResult save(io::CheckpointStore* store, const RunPosition& position) const;

  /// Collective: the state at `position`, copied into `memory`, for store->save().
  io::Snapshot take_snapshot(io::CheckpointStore* store, const RunPosition& position,
                             const io::StagingMemory& memory) const;

  /// Collective: whether checkpoints of this run can be saved (io/checkpoint/writer.h).
  io::TrialResult try_saving(io::CheckpointStore* store) const { return store->try_out(tensors()); }

  /// Collective: fills values, moments and step counts from the checkpoint that `options.resume`
  /// selects, and frozen values from where the run had them. nullopt: there is no checkpoint.
  /// UsageError if the config differs in a key that must not, or weights, tokenizer or data differ;
  /// each difference is named. InputError if only data differs.
  std::optional<RunPosition> resume(const RunOptions& options);

  /// Collective: fills values, moments and step counts from the newest intact checkpoint of this
  /// run. AgreedError if there is none.
  RunPosition roll_back(const RunOptions& options) const;

  /// Collective: takes the values, without moments, of the checkpoint that `options.init` names
  /// (train/run/weight_origins.h). UsageError if frozen values would come from this run itself.
  void initialize_from(const RunOptions& options);

  const WeightOrigins& origins() const { return identity_.origins; }

 private:
  std::vector<io::CheckpointTensor> tensors() const;
  /// Collective: all but the tensors.
  io::Manifest manifest_of(const RunPosition& position) const;
  void accept(const io::Manifest& manifest, const RunOptions& options) const;
  /// Takes over what a load has read into `values`.
  RunPosition take(const io::Manifest& manifest, const model::HostTensors& values) const;

  const Runtime& rt_;
  model::LynxModel* model_;
  Optimizer* optimizer_;
  RunIdentity identity_;
};

/// Collective: takes the values, without moments, of the checkpoint that `options.resume` selects,
/// for use and not for training. Returns its step; InputError if there is none, or if it was
/// trained with another tokenizer or other frozen weights.
int64_t load_trained(const Runtime& rt, model::LynxModel* model, const RunOptions& options,
                     const std::string& tokenizer, WeightOrigins* origins);

/// Whether a key may differ between a checkpoint and the run that resumes from it: keys of layout
/// and reports may, keys that change results may not.
bool may_change_on_resume(const std::string& key);

}  // namespace lynceus::train
