// The protocol card of a score: what must be known to compare it with another.
//
// Who writes answers describes their origin in a file next to them: FILE.card.json, or
// FOLDER/card.json for a folder of answers. Its members, all of them optional:
//
//   prompt_template  name of the template, or an object that describes it
//   decoding         object of the decoding settings
//   weights          digest of the weights of the model
//   checkpoint       digest of the checkpoint
//   answers_digest   of the answers it describes, as below; another digest is refused
//
// Other members are kept. What no card says is "unknown".
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/files/json_value.h"

namespace lynceus::evaluate {

/// How answers were read or judged, and where the rule is from.
struct ParseRule {
  std::string name;
  std::string text;
  std::string source;
};

/// A file or folder of answers.
struct AnswersFile {
  std::filesystem::path path;
  /// XXH3-128 of the file (io/files/digest.h); of a folder: of the names and digests of `files`.
  std::string digest;
};

/// IoError if a file cannot be read. `files`: names of the files of a folder that were read; empty
/// for a file.
AnswersFile digest_answers(const std::filesystem::path& path, std::span<const std::string> files);

struct ProtocolCard {
  std::vector<AnswersFile> answers;
  ParseRule rule;
  std::string judge;  ///< empty: no judge took part

  /// {"prompt_template", "decoding", "weights", "checkpoint", "parse_rule": {"name", "text",
  /// "source"}, "judge", "answers": [{"path", "digest"}], "software"}. With several files the first
  /// four are lists, one element for each. InputError for a damaged file of origin, or for one of
  /// other answers.
  io::JsonValue to_json() const;
};

}  // namespace lynceus::evaluate
