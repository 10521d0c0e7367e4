// Checkpoints of the released Lynx code (pretrain_lynx.pt, finetune_lynx.pt) may have the prefix
// "model." before the names of their tensors: "model.LLM.model.layers.0...", "model.bridge...".
// This source removes it once, at the beginning of a name, so that "LLM.model." is unchanged.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// `source` if it has no such name. InputError if a name appears with and without the prefix.
WeightSourcePtr without_model_prefix(WeightSourcePtr source);

}  // namespace lynceus::io
