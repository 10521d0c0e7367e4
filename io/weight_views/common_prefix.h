// Finds a module's tensors where a file has them under other prefixes: an LLM in a LLaVA checkpoint
// ("language_model.model.layers.0…", or "model.language_model.layers.0…" with "lm_head.weight"
// apart), saved by DistributedDataParallel ("module.") or by PEFT ("base_model.model.").
#pragma once

#include <span>
#include <string>

#include "io/weights/weights.h"

namespace lynceus::io {

/// `source` with the prefixes of the names `needed` replaced. `parts` are prefixes of `needed`,
/// which together begin all of them ("model." and "" of a LLaMA): the tensors of one part are
/// together under one prefix in the file. A part is renamed only if all its names then match.
/// Tensors of other modules are left out: all others where a prefix was replaced, else those whose
/// name says that they are of a vision encoder, a projector or similar. describe() says what was
/// replaced and left out. `source` itself if nothing is. InputError if several prefixes match.
WeightSourcePtr without_common_prefix(WeightSourcePtr source, std::span<const std::string> needed,
                                      std::span<const std::string> parts);

}  // namespace lynceus::io
