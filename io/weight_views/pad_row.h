// The [PAD] row. A LLaMA checkpoint has as many embedding rows as its tokenizer has pieces; Lynx
// adds one token, [PAD], whose row in embed_tokens and lm_head is the mean of all others. This
// source appends that row.
#pragma once

#include <string>
#include <vector>

#include "io/weights/weights.h"

namespace lynceus::io {

/// The tensors that have one row per token.
inline const std::vector<std::string> kVocabularyWeights = {"LLM.model.embed_tokens.weight",
                                                            "LLM.lm_head.weight"};

/// Appends the mean row to those of the tensors `names` that have exactly vocab_size - 1 rows. The
/// mean is summed in f64 in row order, so it is equal for every reader. Other tensors are
/// unchanged.
WeightSourcePtr with_pad_row(WeightSourcePtr source, int64_t vocab_size,
                             const std::vector<std::string>& names = kVocabularyWeights);

}  // namespace lynceus::io
