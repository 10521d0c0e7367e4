// How a conversation becomes tokens: the prompt template of the language model, the lists of
// hand-written instructions, and which tokens are scored. Used by the batch plan.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/sample.h"
#include "io/tokenizer.h"

namespace lynceus::io {

/// What stands around a turn's text.
struct TurnTemplate {
  std::string before;
  std::string after;
};

/// A prompt template, from an INI file such as configs/prompts/lynx.ini.
struct PromptStyle {
  std::string name;
  std::string default_system;  ///< said when a sample has no system turn; empty: nothing
  TurnTemplate system;
  TurnTemplate user;
  TurnTemplate assistant;   ///< `after` follows the end-of-answer token
  bool lower_case = false;  ///< user turns in lower case (ASCII letters)

  /// Keys: name, system, default_system, user, assistant, lower_case; a template is a text with one
  /// {text} in it, quoted if spaces at its ends matter, with \n for a new line. InputError naming
  /// file, line and key.
  static PromptStyle load(const std::filesystem::path& path);
};

/// Instructions of which each sample gets one, so that a model does not learn a single wording.
class PromptList {
 public:
  /// One instruction a line; empty lines and lines that begin with # are skipped. An instruction
  /// may hold {text} once: there the user's own turn goes. InputError when there is none.
  static PromptList load(const std::filesystem::path& path);
  explicit PromptList(std::vector<std::string> prompts);

  size_t size() const { return prompts_.size(); }
  /// A pure function of its arguments; sample_index is the sample's place in the whole run.
  const std::string& pick(uint64_t seed, uint64_t sample_index) const;
  /// The turns with one instruction: around the first user turn where it holds {text}, else as a
  /// user turn before an assistant that was not asked. Turns that fit neither stay as they are.
  std::vector<Turn> apply(std::vector<Turn> turns, uint64_t seed, uint64_t sample_index) const;

 private:
  std::vector<std::string> prompts_;
};

struct TokenizedSample {
  std::vector<int32_t> token_ids;  ///< bos first
  std::vector<uint8_t> scored;     ///< 1: the model is trained to say this token
  int64_t cut = 0;                 ///< tokens that max_tokens left out
};

/// The tokens of a conversation. Scored are the assistant's answers with the eos behind each, and
/// everything but bos in plain text (which ends in eos too). At most max_tokens come out: if the
/// first answer would not fit, the question before it loses its end (its template stays) so that a
/// quarter of max_tokens, or the whole answer if that is shorter, is left to the answer; then the
/// sequence is cut after max_tokens and after its last scored token.
TokenizedSample tokenize_sample(const Tokenizer& tokenizer, const PromptStyle& style,
                                std::span<const Turn> turns, int64_t max_tokens);

/// The tokens after which the model speaks: the turns (the last one a user's), then the beginning
/// of the assistant's turn. A question that is too long loses its end.
std::vector<int32_t> tokenize_question(const Tokenizer& tokenizer, const PromptStyle& style,
                                       std::span<const Turn> turns, int64_t max_tokens);

}  // namespace lynceus::io
