// JSONL or TSV files (name ending in .tsv), one row per line, for `prepare jsonl` and, with videos,
// `prepare video`. Rows:
//
//   {"image": "a/b.jpg", "caption": "..."}             or "captions": ["...", ...]
//   {"image": "a/b.jpg", "question": "...", "answer": "..."}   of a list of answers the first
//   {"text": "..."}                                    plain text; every token is scored
//
// Instead of "image", "images": [...] is a list of separate images, each with its own visual
// tokens, and "frames": [...] is the list of frames of one video. A question needs no image. With
// videos, every row has "video": "a/b.mp4" instead, and there are no text rows.
//
// "id" (string or integer), if present, is the key of the sample. Other keys are ignored. Images
// are stored unchanged. A field map renames the fields. In a TSV file the keys are the cells of the
// first line or, with a map of numbers only, the column numbers from 1.
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
#include "prepare/image_reader.h"
#include "prepare/source.h"
#include "prepare/video.h"

namespace lynceus::prepare {

/// From field name to the key in the file.
using FieldMap = std::map<std::string, std::string>;

/// Whether rows name images or videos.
enum class RowMedia { kImages, kVideos };

/// From texts "field=key". UsageError for an unknown field, a duplicate field or an empty key.
FieldMap parse_field_map(const std::vector<std::string>& pairs, RowMedia media = RowMedia::kImages);

struct JsonlOptions {
  std::filesystem::path file = {};
  /// Directory that image paths are relative to. Empty: that of `file`.
  std::filesystem::path root = {};
  bool first_caption_only = false;  ///< otherwise one sample per caption
  /// Empty: keys are the field names. Otherwise only the fields of the map are read.
  FieldMap map = {};
  ImageCheck check = ImageCheck::kDecode;
  /// Not null: rows name videos, which this reads. Null: rows name images.
  std::shared_ptr<VideoReader> videos = nullptr;
};

class JsonlSource : public Source {
 public:
  /// IoError when the file or the root cannot be read.
  explicit JsonlSource(JsonlOptions options);

  /// Lines of the file, including empty ones.
  SourceExtent extent() const override { return {line_count_, "lines", line_count_}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  template <typename RowLines>
  void read_lines(RowLines lines, int64_t skip, const RowSink& sink);
  std::optional<io::Json> find(const io::Json& row, const std::string& field) const;
  std::vector<io::Sample> samples_of(const io::Json& row, int64_t line);
  /// Each fills media and kind, and returns the path of the first media item.
  std::string read_images(const io::Json& row, io::Sample& sample);
  std::string read_video(const io::Json& row, io::Sample& sample);

  JsonlOptions options_;
  int64_t line_count_;
  ImageReader images_;
};

}  // namespace lynceus::prepare
