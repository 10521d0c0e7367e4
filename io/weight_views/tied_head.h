// Tied embeddings: lm_head.weight is embed_tokens.weight. transformers leaves the shared tensor out
// of safetensors, other programs store it twice.
#pragma once

#include <string>

#include "io/weights/weights.h"

namespace lynceus::io {

/// `source` without the tensor `head`.
WeightSourcePtr without_tied_head(WeightSourcePtr source, const std::string& head);

/// InputError if `source` has the tensor `head` and it is not equal to `embedding`, value by value:
/// then config.json is wrong about the weights.
void check_tied_head(const WeightSource& source, const std::string& embedding,
                     const std::string& head);

}  // namespace lynceus::io
