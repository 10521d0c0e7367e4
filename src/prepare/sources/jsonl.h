// Samples from a JSONL or TSV file, one row a line. Used by `lynceus prepare jsonl` and, with
// videos, by `lynceus prepare video`. Rows that it takes:
//
//   {"image": "a/b.jpg", "caption": "..."}             or "captions": ["...", ...]
//   {"image": "a/b.jpg", "question": "...", "answer": "..."}   or a list, of which the first counts
//   {"text": "..."}                                    plain text, every token is learned
//
// With videos, "video": "a/b.mp4" stands in every row in the place of pictures, and there are no
// texts without one.
//
// "images": [...] instead of "image": pictures with visual tokens each; "frames": [...]: those of
// one video. A question needs no picture. "id" (text or integer), if there, names the sample. Other
// keys are left alone. Pictures are taken as they came after they were decoded once. Where a file
// calls these fields otherwise, a map says how; in a TSV file (its name ends in .tsv) the keys are
// the cells of the first line, or the numbers of columns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/json.h"
#include "prepare/source.h"
#include "prepare/video.h"

namespace lynceus::prepare {

/// Field of ours to key of the file.
using FieldMap = std::map<std::string, std::string>;

/// Whether rows name pictures or videos.
enum class RowMedia { kPictures, kVideos };

/// From "field=key" each. UsageError for an unknown field, one named twice, an empty key.
FieldMap parse_field_map(const std::vector<std::string>& pairs,
                         RowMedia media = RowMedia::kPictures);

struct JsonlOptions {
  std::filesystem::path file = {};
  /// Where pictures' paths begin; they may not leave it. Empty: the file's folder.
  std::filesystem::path root = {};
  bool first_caption_only = false;  ///< otherwise one sample a caption
  /// Empty: the fields' own names. Otherwise only fields named here are read.
  FieldMap map = {};
  PictureCheck check = PictureCheck::kDecode;
  /// Rows name videos, below the root of this; null: pictures.
  std::shared_ptr<VideoReader> videos = nullptr;
};

class JsonlSource : public Source {
 public:
  /// IoError when the file or the root cannot be read.
  explicit JsonlSource(JsonlOptions options);

  /// Lines of the file, empty ones included.
  SourceExtent extent() const override { return {line_count_, "lines", line_count_}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  template <typename RowLines>
  void read_lines(RowLines lines, int64_t skip, const RowSink& sink);
  std::optional<io::Json> find(const io::Json& row, const std::string& field) const;
  std::vector<io::Sample> samples_of(const io::Json& row, int64_t line);
  /// Fills media and kind; returns the name of the first.
  std::string read_media(const io::Json& row, io::Sample& sample);
  std::string read_video(const io::Json& row, io::Sample& sample);

  JsonlOptions options_;
  int64_t line_count_;
  PictureReader pictures_;
};

}  // namespace lynceus::prepare
