// Files of rows for `prepare jsonl` and, with videos, `prepare video`: JSON with one object per
// line, a JSON array of objects, TSV or CSV. Rows:
//
//   {"image": "a/b.jpg", "caption": "..."}             or "captions": ["...", ...]
//   {"image": "a/b.jpg", "question": "...", "answer": "..."}   of a list of answers the first
//   {"text": "..."}                                    plain text; every token is scored
//
// Instead of a path, "image" may be a list, and so may "caption". "images": [...] is a list of
// separate images, each with its own visual tokens, and "frames": [...] is the list of frames of
// one video. A question needs no image. With videos, every row has "video": "a/b.mp4" instead, and
// there are no text rows. A row without these may name the file under "file_name", "filename",
// "filepath", "file_path", "path" or "file".
//
// "id", if present, is the key of the sample. A row with another key that carries content (see
// prepare/rows/row_keys.h) is rejected; further keys are ignored. Images are stored unchanged. A
// field map renames the fields. In a TSV or CSV file (io/files/table.h) the keys are the cells
// of the first line or, with a map of numbers only, the column numbers from 1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/json.h"
#include "io/files/table.h"
#include "prepare/image_reader.h"
#include "prepare/rows/json_stream.h"
#include "prepare/rows/source.h"
#include "prepare/video.h"

namespace lynceus::prepare {

/// From field name to the key in the file.
using FieldMap = std::map<std::string, std::string>;

/// Whether rows name images or videos.
enum class RowMedia { kImages, kVideos };

/// From texts "field=key". UsageError for an unknown field, a duplicate field or an empty key.
FieldMap parse_field_map(const std::vector<std::string>& pairs, RowMedia media = RowMedia::kImages);

/// kByName: TSV for a name that ends in .tsv, CSV for .csv, otherwise JSONL.
enum class RowFormat { kByName, kJsonl, kTsv, kCsv };

struct JsonlOptions {
  std::filesystem::path file = {};
  /// Directory that image paths are relative to. Empty: that of `file`.
  std::filesystem::path root = {};
  bool first_caption_only = false;  ///< otherwise one sample per caption
  /// Empty: keys are the field names. Otherwise only the fields of the map are read, and other keys
  /// with content are left out, except media of a row that would have none.
  FieldMap map = {};
  ImageCheck check = ImageCheck::kDecode;
  /// Not null: rows name videos, which this reads. Null: rows name images.
  std::shared_ptr<VideoReader> videos = nullptr;
  RowFormat format = RowFormat::kByName;
};

class JsonlSource : public Source {
 public:
  /// IoError when the file or the root cannot be read. InputError for a table without the columns
  /// that its rows need.
  explicit JsonlSource(JsonlOptions options);

  /// Rows of JSON; lines of a table, including empty ones.
  SourceExtent extent() const override;
  void read(int64_t skip, const RowSink& sink) override;
  SourceAccount account() const override {
    return {.notes = rows_ ? rows_->notes() : std::vector<std::string>()};
  }

 private:
  io::TableRows table() const;
  void check_columns(const std::vector<std::string>& columns) const;
  void read_table(int64_t skip, const RowSink& sink);
  /// The key in the file; empty: the field is not read.
  std::string key_of(const std::string& field) const;
  /// Fields and their keys, for messages: "caption, captions (key 'texts')".
  std::string shown(const std::vector<std::string>& fields) const;
  std::optional<io::Json> find(const io::Json& row, const std::string& field) const;
  /// The field with what is learned: captions, caption, question or text.
  struct Learned {
    std::string_view field;
    io::Json value;
  };
  Learned learned_in(const io::Json& row) const;
  /// RejectedRow for content besides `fields`.
  void check_keys(const io::Json& row, std::vector<std::string_view> fields, bool has_media) const;
  /// `place` is the key of a row without id and media.
  RowContent content_of_row(const io::Json& row, const std::string& place);
  /// The key that names the file of a row without image or video; empty: none.
  std::string_view file_name_field(const io::Json& row) const;
  /// Each fills media and kind, and returns the path of the first media item.
  std::string read_images(const io::Json& row, std::string_view file_name, io::Sample& sample);
  std::string read_video(const io::Json& row, std::string_view file_name, io::Sample& sample);

  JsonlOptions options_;
  std::optional<JsonRows> rows_;  // none: a table
  int64_t line_count_ = 0;
  ImageReader images_;
};

}  // namespace lynceus::prepare
