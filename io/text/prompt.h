// Converts a conversation to tokens and marks the scored ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "io/dataset/sample.h"
#include "io/text/prompt_files.h"
#include "io/text/tokenizer.h"

namespace lynceus::io {

struct TokenizedSample {
  std::vector<int32_t> token_ids;  ///< bos first
  std::vector<uint8_t> scored;     ///< 1: the model is trained to predict this token
  int64_t cut = 0;                 ///< tokens removed because of max_tokens
};

/// The text tokens of a conversation. Scored tokens: the assistant's answers and the eos after
/// each; in plain text everything but bos, including its final eos. The result has at most
/// max_tokens. If the first answer does not fit, the question before it is shortened at its end
/// (its template is kept), so that a quarter of max_tokens, or the complete answer if that is
/// shorter, remains for the answer. Then the sequence is cut after max_tokens and after its last
/// scored token.
TokenizedSample tokenize_sample(const Tokenizer& tokenizer, const PromptStyle& style,
                                std::span<const Turn> turns, int64_t max_tokens);

/// The text tokens of a conversation that the assistant is to continue: bos, then the turns, then
/// what the template has before an answer. The same tokens precede an answer in training.
std::vector<int32_t> tokenize_prompt(const Tokenizer& tokenizer, const PromptStyle& style,
                                     std::span<const Turn> turns);

}  // namespace lynceus::io
