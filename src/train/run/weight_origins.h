// Where weights come from, by module: the words of model.train (bridge, adapter, llm) and vision. A
// checkpoint holds what its run trained; of what was frozen its manifest keeps the origin, so that
// whoever uses it (a resume, a next stage by --init, `evaluate`) has the very same weights or is
// refused. Frozen weights that came from a checkpoint are read from there again.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/checkpoint/manifest.h"
#include "model/lynx.h"

namespace lynceus::train {

using WeightOrigins = std::map<std::string, io::FrozenWeights>;

/// The module that a parameter belongs to.
std::string module_of(const std::string& parameter);
/// Whether a tensor of a checkpoint is a parameter's value and no moment.
bool is_value(const std::string& tensor);
/// Whether a checkpoint has values of `module`, and the digest of them that FrozenWeights::identity
/// keeps.
bool holds(const io::Manifest& manifest, const std::string& module);
std::string module_digest(const io::Manifest& manifest, const std::string& module);

/// What a checkpoint is held against before its values are used.
struct CheckpointTerms {
  std::string tokenizer;                  ///< Tokenizer::describe()
  std::vector<std::string> allow_change;  ///< data.tokenizer, model.weights, vision.weights
};

/// One sentence a difference: another tokenizer; other weights of a module of `mine` that neither
/// the checkpoint nor one that it names holds.
std::vector<std::string> differences(const io::Manifest& manifest, const WeightOrigins& mine,
                                     const CheckpointTerms& terms);
/// Throws them as one InputError about `checkpoint`.
void refuse_differences(const std::string& checkpoint, const io::Manifest& manifest,
                        const WeightOrigins& mine, const CheckpointTerms& terms);

/// Collective: every value of another run's checkpoint, of frozen and of trained parameters (stage
/// 2 from stage 1), and what the run behind it had from others. `origins` says so afterwards.
/// Missing are at most modules of the same origin, and the frame positions of a stage without
/// video.
/// `checkpoint` may also be a file of weights, as the released Lynx code writes them: what this run
/// trains is taken from there, what is frozen is left alone.
void initialize_from(const Runtime& rt, model::LynxModel* model, const std::string& checkpoint,
                     const CheckpointTerms& terms, WeightOrigins* origins);

/// Collective: modules that `manifest` does not hold but knows in other checkpoints, whose digests
/// must be what they were. `origins` says so afterwards.
void load_frozen(const Runtime& rt, model::LynxModel* model, const io::Manifest& manifest,
                 WeightOrigins* origins);

/// Collective: the backbone's weights from a checkpoint of a run that trained it (model.init_from).
/// Returns the digest of what was read.
std::string load_backbone(const Runtime& rt, model::LynxModel* model, const std::string& checkpoint,
                          const CheckpointTerms& terms);

/// Says which frozen modules have random values that nothing ever trained.
void tell_random(const model::LynxModel& model, const WeightOrigins& origins);

}  // namespace lynceus::train
