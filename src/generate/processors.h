// Processors change the scores of the next token by what the answer already has. In this order:
// repetition_penalty, no_repeat_ngram_size, min_length, min_new_tokens (the order and the rules of
// transformers, generation/logits_process.py).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/settings.h"

namespace lynceus::generate {

class Processors {
 public:
  /// `bos`: number of tokens in front of each history that are not new: 1 under lynx, else 0.
  Processors(const Decoding& decoding, int64_t bos, int32_t eos)
      : decoding_(decoding), bos_(bos), eos_(eos) {}

  /// Changes `scores` [size], logits or log-probabilities of the token after `history`, in place.
  /// A token that may not follow becomes −inf.
  void apply(std::span<const int32_t> history, std::span<float> scores);

 private:
  /// Each token that occurs, once however often: s < 0 ? s · penalty : s / penalty.
  void penalize_repetition(std::span<const int32_t> history, std::span<float> scores);
  /// No token that would complete an n-gram of the history a second time.
  void forbid_repeated_ngrams(std::span<const int32_t> history, std::span<float> scores) const;

  Decoding decoding_;
  int64_t bos_;
  int32_t eos_;
  std::vector<float> penalized_;  // of each token of the history
};

}  // namespace lynceus::generate
