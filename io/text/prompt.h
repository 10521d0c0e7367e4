// How a conversation becomes tokens: the prompt template of the language model, the lists of
// hand-written instructions, and which tokens are scored. Used by the batch plan.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/sample.h"
#include "io/text/tokenizer.h"

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

/// What each list of configs/prompts is for; also what a shard's task may be to be given one.
constexpr std::string_view kPromptFamilies[] = {
    "caption", "vqa", "ocr", "classification", "video", "dialogue", "instruction"};

/// Wordings of which each sample gets one, so that a model does not learn a single one: wordings
/// of a question hold {text}, where the user's own turn goes; instructions do not, and are put
/// before an answer that nobody asked for.
class PromptList {
 public:
  /// One a line; empty lines and lines that begin with # are skipped. InputError when there is
  /// none, or {text} stands twice in one.
  static PromptList load(const std::filesystem::path& path);
  explicit PromptList(std::vector<std::string> prompts);

  /// The first wording and the first instruction alone.
  PromptList first_only() const;
  size_t size() const { return wordings_.size() + instructions_.size(); }
  /// A wording for a sample that is `asked` something, an instruction for one that is not; nullptr:
  /// the list has none. A pure function of its arguments; sample_index is the sample's place in the
  /// whole run.
  const std::string* pick(bool asked, uint64_t seed, uint64_t sample_index) const;
  /// The turns with what pick() gives: around the first user turn, or as a user turn before the
  /// first assistant's. Plain text stays as it is.
  std::vector<Turn> apply(std::vector<Turn> turns, uint64_t seed, uint64_t sample_index) const;
  /// One value for all of the texts.
  std::string fingerprint() const;

 private:
  std::vector<std::string> wordings_;      // with {text}
  std::vector<std::string> instructions_;  // without
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

}  // namespace lynceus::io
