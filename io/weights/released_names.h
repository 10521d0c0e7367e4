// Checkpoints of the released Lynx code (pretrain_lynx.pt, finetune_lynx.pt) may name their tensors
// under one "model." more: "model.LLM.model.layers.0...", "model.bridge...". This adapter shows
// such names without it, as a prefix and once, so that "LLM.model." stays what it is.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// The same source if it has no such name. A tensor that is there under both names is an
/// InputError.
WeightSourcePtr without_model_prefix(WeightSourcePtr source);

}  // namespace lynceus::io
