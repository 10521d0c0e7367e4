// Samples from a JSONL file, one object a line. Used by `lynceus prepare jsonl`. Rows that it
// takes:
//
//   {"image": "a/b.jpg", "caption": "..."}             or "captions": ["...", ...]
//   {"image": "a/b.jpg", "question": "...", "answer": "..."}   or a list, of which the first counts
//   {"text": "..."}                                    plain text, every token is learned
//
// "images": [...] instead of "image": pictures with visual tokens each; "frames": [...]: those of
// one video. A question needs no picture. "id" (text or integer), if there, names the sample. Other
// keys are left alone. Pictures are taken as they came after they were decoded once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "io/sample.h"

namespace lynceus::io {

struct JsonlOptions {
  std::filesystem::path file;
  /// Where pictures' paths begin; they may not leave it. Empty: the file's folder.
  std::filesystem::path root;
  bool first_caption_only = false;  ///< otherwise one sample a caption
};

/// One line: its samples, or why there are none ("FILE:LINE: ...").
struct JsonlRow {
  std::vector<Sample> samples;
  std::string problem;
};

class JsonlSource {
 public:
  /// IoError when the file or the root cannot be read.
  explicit JsonlSource(JsonlOptions options);

  /// Lines of the file, empty ones included: what next() gives at most.
  int64_t line_count() const { return line_count_; }
  /// Nothing at the end. A malformed row or a missing, undecodable or outlying picture is the row's
  /// problem, not an error.
  std::optional<JsonlRow> next();

 private:
  std::vector<Sample> samples_of(const Json& row) const;
  /// Fills media and kind.
  void read_media(const Json& row, Sample& sample, std::string& name) const;
  std::string read_picture(const Json& path) const;

  JsonlOptions options_;
  int64_t line_count_;
  JsonLines lines_;
};

}  // namespace lynceus::io
