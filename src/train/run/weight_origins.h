// Where weights come from, by module: bridge, adapter, llm (the words of model.train) and vision. A
// checkpoint contains what its run trained. Of frozen modules its manifest keeps the origin, so
// that a resume, a next stage (--init) or `evaluate` uses the same weights or is refused. Frozen
// weights that came from a checkpoint are read from there again.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/checkpoint/manifest.h"
#include "model/lynx.h"

namespace lynceus::train {

using WeightOrigins = std::map<std::string, io::FrozenWeights>;

/// Whether a tensor of a checkpoint is the value of a parameter and not a moment.
bool is_value(const std::string& tensor);
/// Whether a checkpoint has values of `module`.
bool holds(const io::Manifest& manifest, const std::string& module);
/// A FrozenWeights::identity for people: "random (seed 1, std 0.02)" in place of "random 1 0.02", a
/// digest as it is.
std::string readable_identity(const std::string& identity);

/// The digest of these values, as in FrozenWeights::identity.
std::string module_digest(const io::Manifest& manifest, const std::string& module);

/// What a checkpoint is compared with before its values are used.
struct CheckpointTerms {
  std::string tokenizer;                  ///< Tokenizer::describe()
  std::vector<std::string> allow_change;  ///< data.tokenizer, model.weights, vision.weights
  bool init_frozen = false;               ///< of a file of weights take the frozen modules too
};

/// One sentence per difference: another tokenizer, or other weights of a module of `mine` that is
/// neither in the checkpoint nor in another one that it names.
std::vector<std::string> differences(const io::Manifest& manifest, const WeightOrigins& mine,
                                     const CheckpointTerms& terms);
/// InputError about `checkpoint` that lists the differences, if any.
void refuse_differences(const std::string& checkpoint, const io::Manifest& manifest,
                        const WeightOrigins& mine, const CheckpointTerms& terms);

/// Collective: takes all values of another run's checkpoint, of frozen and of trained parameters
/// (stage 2 from stage 1), and the frozen modules which that run had from other checkpoints.
/// `origins` is updated. Only modules of the same origin, and the frame positions of a stage
/// without video, may be missing. `checkpoint` may also be a file of weights as the released Lynx
/// code writes it (train/run/init_file.h).
void initialize_from(const Runtime& rt, model::LynxModel* model, const std::string& checkpoint,
                     const CheckpointTerms& terms, WeightOrigins* origins);

/// Collective: loads the modules that `manifest` names in other checkpoints; their digests must be
/// unchanged. `origins` is updated.
void load_frozen(const Runtime& rt, model::LynxModel* model, const io::Manifest& manifest,
                 WeightOrigins* origins);

/// Collective: loads the backbone's weights from a checkpoint of a run that trained it
/// (model.init_from). Returns their digest.
std::string load_backbone(const Runtime& rt, model::LynxModel* model, const std::string& checkpoint,
                          const CheckpointTerms& terms);

/// Logs the frozen modules that have random values which were never trained.
void log_random_modules(const model::LynxModel& model, const WeightOrigins& origins);

}  // namespace lynceus::train
