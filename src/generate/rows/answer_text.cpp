#include "generate/rows/answer_text.h"

#include <limits>

namespace lynceus::generate {

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string answer_text(const io::Tokenizer& tokenizer, std::span<const int32_t> tokens) {
  std::vector<int32_t> kept;
  for (const int32_t token : tokens)
    if (token >= 0 && token < tokenizer.size() && token != tokenizer.unk_id() &&
        token != tokenizer.bos_id() && token != tokenizer.eos_id())
      kept.push_back(token);
  return trimmed(tokenizer.decode(kept));
}

std::vector<int32_t> tokens_of_answer(const io::Tokenizer& tokenizer, const io::PromptStyle& style,
                                      std::span<const io::Turn> turns, const std::string& answer) {
  const size_t before = io::tokenize_prompt(tokenizer, style, turns).size();
  std::vector<io::Turn> all(turns.begin(), turns.end());
  all.push_back({io::TurnRole::kAssistant, answer});
  std::vector<int32_t> tokens =
      io::tokenize_sample(tokenizer, style, all, std::numeric_limits<int64_t>::max()).token_ids;
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(before));
  return tokens;
}

}  // namespace lynceus::generate
