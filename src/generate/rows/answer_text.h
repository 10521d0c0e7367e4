// Tokens of an answer as text, and the tokens of an answer that is known.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/text/prompt.h"
#include "io/text/tokenizer.h"

namespace lynceus::generate {

/// Without white space around it.
std::string trimmed(const std::string& text);

/// The text without special tokens (unk, bos, eos, [PAD]) and without white space around it.
std::string answer_text(const io::Tokenizer& tokenizer, std::span<const int32_t> tokens);

/// The tokens of `answer` after these turns, as in training: with its end token, if the tokenizer
/// has one.
std::vector<int32_t> tokens_of_answer(const io::Tokenizer& tokenizer, const io::PromptStyle& style,
                                      std::span<const io::Turn> turns, const std::string& answer);

}  // namespace lynceus::generate
