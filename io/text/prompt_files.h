// The files of configs/prompts: prompt templates and lists of hand-written instructions.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/sample.h"

namespace lynceus::io {

/// The text before and after a turn's text.
struct TurnTemplate {
  std::string before;
  std::string after;
};

/// What a template writes in lower case.
enum class LowerCase {
  kNone,
  kQuestions,  ///< the letters A to Z of user turns
  kPrompt      ///< all that is not scored, its template included, by the rules of Unicode
};

/// A prompt template, from an INI file such as configs/prompts/lynx.ini.
struct PromptStyle {
  std::string name;
  std::string default_system;  ///< used if a sample has no system turn; empty: no system turn
  TurnTemplate system;
  TurnTemplate user;
  TurnTemplate assistant;  ///< `after` follows the end-of-answer token
  LowerCase lower_case = LowerCase::kNone;

  /// Keys: name, system, default_system, user, assistant, lower_case. A template contains {text}
  /// once, is quoted if it begins or ends with spaces, and has \n for a new line. lower_case is
  /// none, questions or prompt; older files have false or true for the first two. InputError naming
  /// file, line and key.
  static PromptStyle load(const std::filesystem::path& path);
  /// A digest of everything but the name, in hex.
  std::string fingerprint() const;
};

/// The prompt families: names of the lists in configs/prompts. A dataset whose task is one of them
/// gets that list.
constexpr std::string_view kPromptFamilies[] = {
    "caption", "vqa", "ocr", "classification", "video", "dialogue", "instruction"};

/// Whether a user turn comes before the first answer.
bool has_question(std::span<const Turn> turns);

/// Each sample gets one entry of the list, so that the model does not learn a single wording.
/// Wordings of a question contain {text}, which becomes the user's turn. Instructions do not; they
/// become the user's turn before an answer without a question.
class PromptList {
 public:
  /// One entry per line; empty lines and lines that begin with # or ; are skipped. InputError if
  /// there is none, or if a line contains {text} twice.
  static PromptList load(const std::filesystem::path& path);
  explicit PromptList(std::vector<std::string> prompts);

  /// Only the first wording and the first instruction.
  PromptList first_only() const;
  size_t size() const { return wordings_.size() + instructions_.size(); }
  /// A wording if the sample has a question (`asked`), otherwise an instruction; nullptr if the
  /// list has none. A pure function of its arguments; sample_index counts the samples of the run.
  const std::string* pick(bool asked, uint64_t seed, uint64_t sample_index) const;
  /// The turns with the result of pick() around the first user turn, or as a user turn before the
  /// first assistant turn. Plain text is unchanged.
  std::vector<Turn> apply(std::vector<Turn> turns, uint64_t seed, uint64_t sample_index) const;
  /// A digest of all entries.
  std::string fingerprint() const;

 private:
  std::vector<std::string> wordings_;      // with {text}
  std::vector<std::string> instructions_;  // without
};

}  // namespace lynceus::io
