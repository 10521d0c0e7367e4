// Tokens of an answer as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "io/text/tokenizer.h"

namespace lynceus::generate {

/// Without white space around it.
std::string trimmed(const std::string& text);

/// The text without special tokens (unk, bos, eos, [PAD]) and without white space around it.
std::string answer_text(const io::Tokenizer& tokenizer, std::span<const int32_t> tokens);

}  // namespace lynceus::generate
