// The [PAD] row. A LLaMA checkpoint has as many embedding rows as its tokenizer has pieces; Lynx
// adds one token, [PAD], whose row in embed_tokens and lm_head is the mean of all others. This
// adapter shows such a source with that row as the last one.
#pragma once

#include <string>
#include <vector>

#include "io/weights/weights.h"

namespace lynceus::io {

/// The tensors that have one row per token.
inline const std::vector<std::string> kVocabularyWeights = {"LLM.model.embed_tokens.weight",
                                                            "LLM.lm_head.weight"};

/// Of the tensors `names`, those with exactly vocab_size - 1 rows get one more, their mean (summed
/// in f64 in row order, so it is the same for every reader). All other tensors are passed through.
WeightSourcePtr with_pad_row(WeightSourcePtr source, int64_t vocab_size,
                             const std::vector<std::string>& names = kVocabularyWeights);

}  // namespace lynceus::io
