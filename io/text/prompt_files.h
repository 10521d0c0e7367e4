// The files of configs/prompts: prompt templates and lists of hand-written instructions.
#pragma once

#include <cstdint>
#include <filesystem>
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

/// A prompt template, from an INI file such as configs/prompts/lynx.ini.
struct PromptStyle {
  std::string name;
  std::string default_system;  ///< used if a sample has no system turn; empty: no system turn
  TurnTemplate system;
  TurnTemplate user;
  TurnTemplate assistant;   ///< `after` follows the end-of-answer token
  bool lower_case = false;  ///< user turns in lower case (ASCII letters)

  /// Keys: name, system, default_system, user, assistant, lower_case. A template contains {text}
  /// once, is quoted if it begins or ends with spaces, and has \n for a new line. InputError naming
  /// file, line and key.
  static PromptStyle load(const std::filesystem::path& path);
};

/// The prompt families: names of the lists in configs/prompts. A dataset whose task is one of them
/// gets that list.
constexpr std::string_view kPromptFamilies[] = {
    "caption", "vqa", "ocr", "classification", "video", "dialogue", "instruction"};

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
