#include "prepare/sources/jsonl.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text/ascii.h"
#include "io/files/lines.h"
#include "prepare/rows/conversation.h"
#include "prepare/rows/media_names.h"
#include "prepare/rows/ordered_rows.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/row_text.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kImageFields = {
    "image", "images", "frames", "caption", "captions", "question", "answer", "text", "id"};
const std::vector<std::string> kVideoFields = {"video",    "caption", "captions",
                                               "question", "answer",  "id"};

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/// The first line of a table has names unless all keys of the map are numbers.
bool has_header(const FieldMap& map) {
  return map.empty() || !std::all_of(map.begin(), map.end(),
                                     [](const auto& pair) { return is_number(pair.second); });
}

RowFormat format_of(const fs::path& file) {
  const std::string ending = ascii_lower(file.extension().string());
  if (ending == ".tsv") return RowFormat::kTsv;
  return ending == ".csv" ? RowFormat::kCsv : RowFormat::kJsonl;
}

/// A table with a list for each column, in one object.
void refuse_columns(const io::Json& row, size_t captions) {
  const auto image = captions > 1 ? row.find("image") : std::nullopt;
  if (image && row.find("caption") && image->is_array() && image->size() == captions)
    throw RejectedRow("columns instead of rows",
                      "{}: expected an object for each image, found lists of {} images and "
                      "{} captions; 'images' and 'captions' are those of one sample",
                      row.where(), captions, captions);
}

}  // namespace

FieldMap parse_field_map(const std::vector<std::string>& pairs, RowMedia media) {
  const std::vector<std::string>& fields = media == RowMedia::kImages ? kImageFields : kVideoFields;
  FieldMap map;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    const std::string field = pair.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == pair.size())
      throw UsageError("--map: expected field=key, found '{}'", pair);
    if (std::find(fields.begin(), fields.end(), field) == fields.end())
      throw UsageError("--map {}: expected one of {}, found '{}'", pair, fmt::join(fields, ", "),
                       field);
    if (!map.emplace(field, pair.substr(equals + 1)).second)
      throw UsageError("--map: the field {} is given twice", field);
  }
  return map;
}

JsonlSource::JsonlSource(JsonlOptions options)
    : options_(std::move(options)),
      images_(options_.root.empty() ? options_.file.parent_path() : options_.root, options_.check) {
  if (options_.format == RowFormat::kByName) options_.format = format_of(options_.file);
  if (options_.format == RowFormat::kJsonl) {
    rows_.emplace(options_.file);
  } else {
    check_columns(table().names());
    line_count_ = io::count_lines(options_.file);
  }
}

io::TableRows JsonlSource::table() const {
  return io::TableRows(
      options_.file,
      options_.format == RowFormat::kCsv ? io::TableFormat::kCsv : io::TableFormat::kTsv,
      has_header(options_.map));
}

void JsonlSource::check_columns(const std::vector<std::string>& columns) const {
  if (columns.empty()) return;
  const auto has = [&](const std::string& name) {
    return std::find(columns.begin(), columns.end(), name) != columns.end();
  };
  const auto missing = [&](const std::string& expected) {
    throw InputError("{}: expected {}, found the columns {}{}", options_.file.string(), expected,
                     fmt::join(columns, ", "),
                     options_.map.empty() ? "; --map FIELD=COLUMN names those of other names" : "");
  };
  for (const auto& [field, column] : options_.map)
    if (!has(column)) missing(fmt::format("the column '{}' of --map {}={}", column, field, column));
  const auto has_any = [&](const std::vector<std::string>& fields) {
    return std::any_of(fields.begin(), fields.end(),
                       [&](const std::string& field) { return has(key_of(field)); });
  };
  std::vector<std::string> texts = {"caption", "captions", "question"};
  if (!options_.videos) texts.emplace_back("text");
  if (!has_any(texts)) missing(fmt::format("one of the columns {}", shown(texts)));
  const std::vector<std::string> files(std::begin(kFileNameKeys), std::end(kFileNameKeys));
  if (options_.map.empty() && has_any(files)) return;
  if (options_.videos && !has_any({"video"})) missing("the column video");
  const std::vector<std::string> images = {"image", "images", "frames"};
  if (!options_.videos && has_any({"caption", "captions"}) && !has_any(images))
    missing(fmt::format("one of the columns {}", shown(images)));
}

SourceExtent JsonlSource::extent() const {
  if (rows_) return {rows_->count(), "rows", rows_->count()};
  const int64_t header = line_count_ > 0 && has_header(options_.map) ? 1 : 0;
  return {line_count_, "lines", line_count_ - header};
}

void JsonlSource::read(int64_t skip, const RowSink& sink) {
  if (!rows_) return read_table(skip, sink);
  OrderedRows ordered(options_.videos ? options_.videos->workers() : 1, sink);
  int64_t index = 0;
  rows_->for_each([&](const JsonRow& row) {
    if (index++ < skip) return;
    ordered.add(
        index, row,
        [this, index](const io::Json& value) {
          return content_of_row(value, fmt::format("row {}", index));
        },
        options_.videos != nullptr);
  });
  ordered.finish();
}

void JsonlSource::read_table(int64_t skip, const RowSink& sink) {
  OrderedRows rows(options_.videos ? options_.videos->workers() : 1, sink);
  io::TableRows lines = table();
  for (bool at_end = false; !at_end;) {
    std::optional<io::Json> value;
    SourceRow malformed = make_row([&]() -> std::vector<io::Sample> {
      value = lines.next();
      at_end = !value;
      return {};
    });
    if (at_end || skip-- > 0) continue;
    const int64_t line = lines.line_number();
    if (value) {
      rows.add(line, [this, value, line] {
        return content_of_row(*value, fmt::format("line {}", line));
      });
    } else {
      malformed.done = line;
      rows.add(std::move(malformed));
    }
  }
  rows.finish();
}

std::string JsonlSource::key_of(const std::string& field) const {
  if (options_.map.empty()) return field;
  const auto found = options_.map.find(field);
  return found == options_.map.end() ? "" : found->second;
}

std::string JsonlSource::shown(const std::vector<std::string>& fields) const {
  std::string all;
  for (const std::string& field : fields) {
    const std::string key = key_of(field);
    if (!all.empty()) all += ", ";
    all += key.empty() || key == field ? field : fmt::format("{} (key '{}')", field, key);
  }
  return all;
}

std::optional<io::Json> JsonlSource::find(const io::Json& row, const std::string& field) const {
  const std::string key = key_of(field);
  if (key.empty()) return std::nullopt;
  auto found = row.find(key);
  if (found && found->is_null()) found.reset();
  return found;
}

std::string_view JsonlSource::file_name_field(const io::Json& row) const {
  if (!options_.map.empty()) return "";
  const auto file = named_file(row);
  if (!file || file->medium != (options_.videos ? Medium::kVideo : Medium::kImage)) return "";
  constexpr std::string_view kImages[] = {"image", "images", "frames"};
  constexpr std::string_view kVideos[] = {"video"};
  const bool has_media =
      (options_.videos ? content_of(row, kVideos) : content_of(row, kImages)).has_value();
  return has_media ? "" : file->key;
}

std::string JsonlSource::read_images(const io::Json& row, std::string_view file_name,
                                     io::Sample& sample) {
  if (!file_name.empty()) {
    const io::Json path = row.at(file_name);
    sample.media.push_back(images_.read(path_of(path), path.where()));
    return path_of(path);
  }
  std::string name;
  for (const char* field : {"image", "images", "frames"}) {
    const auto found = find(row, field);
    if (!found || !has_content(*found)) continue;
    if (!sample.media.empty())
      throw InputError("{}: expected one of image, images, frames, found more", row.where());
    const bool is_list = found->is_array();
    if (is_list && field != std::string_view("frames"))
      sample.kind = io::MediaKind::kSeparateImages;
    for (const io::Json& path : is_list ? found->elements() : std::vector{*found}) {
      sample.media.push_back(images_.read(path_of(path), path.where()));
      if (name.empty()) name = path_of(path);
    }
  }
  return name;
}

std::string JsonlSource::read_video(const io::Json& row, std::string_view file_name,
                                    io::Sample& sample) {
  const auto video = file_name.empty() ? find(row, "video") : row.find(file_name);
  if (!video) {
    throw InputError("{}: expected {}, found the keys {}", row.where(), shown({"video"}),
                     keys_of(row));
  }
  sample.kind = io::MediaKind::kFrames;
  sample.media = options_.videos->read(path_of(*video), video->where());
  return path_of(*video);
}

JsonlSource::Learned JsonlSource::learned_in(const io::Json& row) const {
  std::vector<Learned> filled;
  std::vector<Learned> empty;
  for (const std::string_view field : {"captions", "caption", "question", "text"}) {
    if (options_.videos && field == "text") continue;
    if (auto found = find(row, std::string(field)))
      (has_content(*found) ? filled : empty).push_back({field, std::move(*found)});
  }
  if (filled.empty()) filled = std::move(empty);
  if (filled.size() == 1) return filled[0];
  std::vector<std::string> fields = {"caption", "captions", "question"};
  if (!options_.videos) fields.emplace_back("text");
  throw InputError("{}: expected one of {}, found the keys {}", row.where(), shown(fields),
                   keys_of(row));
}

void JsonlSource::check_keys(const io::Json& row, std::vector<std::string_view> fields,
                             bool has_media) const {
  if (options_.map.empty()) {
    refuse_unread(row, fields);
    if (options_.videos) refuse_clip(row);
    return;
  }
  fields.clear();
  for (const auto& [field, key] : options_.map) fields.push_back(key);
  if (!has_media) refuse_unread_media(row, fields);
}

RowContent JsonlSource::content_of_row(const io::Json& row, const std::string& place) {
  std::vector<std::string_view> fields = {"image", "images", "frames"};
  if (options_.videos) fields = {"video"};
  const auto [learned, value] = learned_in(row);
  const bool is_text = learned == "text";
  const bool is_question = learned == "question";
  fields.push_back(learned);
  const std::string_view file_name = file_name_field(row);
  if (!file_name.empty()) fields.push_back(file_name);
  if (is_question) fields.emplace_back("answer");
  io::Sample sample;
  std::vector<std::string> answers;
  LeftOut further;
  if (is_text) {
    sample.turns.push_back({io::TurnRole::kText, text_of(value)});
  } else if (is_question) {
    sample.turns.push_back({io::TurnRole::kUser, text_of(value)});
    const auto answer = find(row, "answer");
    if (!answer)
      throw InputError("{}: expected {}, found the keys {}", row.where(), shown({"answer"}),
                       keys_of(row));
    answers = first_text_of(*answer, kFurtherAnswers, further);
  } else {
    refuse_columns(row, value.is_array() ? value.size() : 1);
    answers = options_.first_caption_only ? first_text_of(value, kFurtherCaptions, further)
                                          : texts_of(value, kEmptyCaptions, further);
  }
  if (options_.videos) check_keys(row, fields, true);  // before a video is decoded
  std::string name =
      options_.videos ? read_video(row, file_name, sample) : read_images(row, file_name, sample);
  if (!options_.videos) check_keys(row, fields, !sample.media.empty());
  if (sample.media.empty() != is_text && !is_question) {
    throw InputError("{}: expected {}, found the keys {}", row.where(),
                     is_text ? "a text without images"
                             : "a caption with one of " + shown({"image", "images", "frames"}),
                     keys_of(row));
  }
  if (const std::string id = id_of(find(row, "id")); !id.empty()) name = id;
  sample.key = name.empty() ? place : name;
  const bool is_video =
      options_.videos || (sample.kind == io::MediaKind::kFrames && sample.media.size() > 1);
  std::vector<io::Sample> samples;
  if (is_text) {
    samples.push_back(std::move(sample));
  } else {
    samples = one_sample_per_answer(sample, answers);
  }
  for (io::Sample& one : samples) {
    take_placeholders(one.turns, {one.media.size(), is_video}, row.where());
    if (is_question) trim_turns(one.turns, row.where());
  }
  return {std::move(samples), std::move(further)};
}

}  // namespace lynceus::prepare
