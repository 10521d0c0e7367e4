// What of a run is in its checkpoints: trained values, moments, per-parameter steps, the samples
// seen, and everything a resume must agree with. Glue between the optimizer and
// io/checkpoint/writer.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "io/checkpoint/writer.h"
#include "train/run/run_options.h"
#include "train/run/weight_origins.h"
#include "train/step/optimizer.h"

namespace lynceus::train {

/// Where a run stands.
struct RunPosition {
  int64_t step = 0;  ///< optimizer steps done
  int64_t samples_seen = 0;
  int64_t damaged_samples = 0;  ///< of them, replaced and not scored
};

/// What a resume compares besides the config.
struct RunIdentity {
  std::vector<ConfigValue> config;
  uint64_t seed = 0;
  WeightOrigins origins;
  std::string tokenizer;  ///< Tokenizer::describe()
  std::map<std::string, std::string> datasets;
};

class RunState {
 public:
  RunState(const Runtime& rt, model::LynxModel* model, Optimizer* optimizer, RunIdentity identity)
      : rt_(rt), model_(model), optimizer_(optimizer), identity_(std::move(identity)) {}

  /// Collective: commits a checkpoint of `position`, or says why not.
  io::SaveResult save(io::CheckpointStore* store, const RunPosition& position) const;

  /// Collective: fills values, moments and step counts from the run's checkpoint that
  /// `options.resume` asks for, and frozen values from where the run had them. Nothing: there is
  /// none. UsageError when the config differs in a key that may not, or weights, tokenizer, data
  /// are others; each difference is named. InputError when only data differs.
  std::optional<RunPosition> resume(const RunOptions& options);

  /// Collective: the values of the checkpoint that `options.init` names, without moments
  /// (train/run/weight_origins.h). UsageError when frozen ones would come from this run itself.
  void initialize_from(const RunOptions& options);

  const WeightOrigins& origins() const { return identity_.origins; }

 private:
  std::vector<io::CheckpointTensor> tensors() const;
  void accept(const io::Manifest& manifest, const RunOptions& options) const;

  const Runtime& rt_;
  model::LynxModel* model_;
  Optimizer* optimizer_;
  RunIdentity identity_;
};

/// Collective: the values of the run's checkpoint that `options.resume` asks for, without moments,
/// for use rather than training. Returns its step; InputError if there is none, or if it was
/// trained with another tokenizer or other frozen weights.
int64_t load_trained(const Runtime& rt, model::LynxModel* model, const RunOptions& options,
                     const std::string& tokenizer, WeightOrigins* origins);

/// Whether a key may differ between a checkpoint and the run that resumes from it: how it is laid
/// out and reported, never what is computed.
bool may_change_on_resume(const std::string& key);

}  // namespace lynceus::train
