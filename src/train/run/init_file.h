// A run that starts from a file of weights, such as the pretrain_lynx.pt of the released Lynx code
// or an export.
#pragma once

#include <string>

#include "model/lynx.h"
#include "train/run/weight_origins.h"

namespace lynceus::train {

/// Whether a tensor may be missing where a run starts from other weights: a stage without video has
/// no frame positions.
bool may_be_new(const std::string& tensor);

/// Collective: takes the modules that this run trains from `file`. Frozen modules keep their values
/// from model.weights and vision.weights; where the file has them too, they must be equal, or with
/// `take_frozen` they are taken from the file, which then must have all their tensors. `origins` is
/// updated. InputError if tensors are missing or unexpected, or if frozen ones differ.
void initialize_from_file(const Runtime& rt, model::LynxModel* model, const std::string& file,
                          bool take_frozen, WeightOrigins* origins);

/// Collective: loads a frozen module from the file of weights that the run took it from when it
/// began; the file must be unchanged.
void load_module_of_file(const Runtime& rt, model::LynxModel* model, const std::string& module,
                         const io::FrozenWeights& weights);

}  // namespace lynceus::train
