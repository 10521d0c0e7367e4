#include "prepare/sources/jsonl.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "io/files/lines.h"
#include "prepare/ordered_rows.h"
#include "prepare/row_text.h"
#include "prepare/tsv.h"

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

/// The first line of a TSV file has names unless all keys of the map are numbers.
bool has_header(const FieldMap& map) {
  return map.empty() || !std::all_of(map.begin(), map.end(),
                                     [](const auto& pair) { return is_number(pair.second); });
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
      line_count_(io::count_lines(options_.file)),
      images_(options_.root.empty() ? options_.file.parent_path() : options_.root, options_.check) {
}

void JsonlSource::read(int64_t skip, const RowSink& sink) {
  if (options_.file.extension() == ".tsv") {
    read_lines(TsvLines(options_.file, has_header(options_.map)), skip, sink);
  } else {
    read_lines(io::JsonLines(options_.file), skip, sink);
  }
}

template <typename RowLines>
void JsonlSource::read_lines(RowLines lines, int64_t skip, const RowSink& sink) {
  OrderedRows rows(options_.videos ? options_.videos->workers() : 1, sink);
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
      rows.add(line, [this, value, line] { return samples_of(*value, line); });
    } else {
      malformed.done = line;
      rows.add(std::move(malformed));
    }
  }
  rows.finish();
}

std::optional<io::Json> JsonlSource::find(const io::Json& row, const std::string& field) const {
  if (options_.map.empty()) return row.find(field);
  const auto found = options_.map.find(field);
  return found == options_.map.end() ? std::nullopt : row.find(found->second);
}

std::string JsonlSource::read_images(const io::Json& row, io::Sample& sample) {
  std::string name;
  const auto read = [&](const io::Json& path) {
    sample.media.push_back(images_.read(path));
    if (name.empty()) name = path.string();
  };
  int lists = 0;
  for (const char* field : {"image", "images", "frames"}) {
    const auto found = find(row, field);
    if (!found) continue;
    if (++lists > 1) {
      throw InputError("{}: expected one of image, images, frames, found more", row.where());
    }
    if (field == std::string_view("image")) {
      read(*found);
      continue;
    }
    sample.kind = field == std::string_view("images") ? io::MediaKind::kSeparateImages
                                                      : io::MediaKind::kFrames;
    for (const io::Json& path : found->elements()) read(path);
  }
  return name;
}

std::string JsonlSource::read_video(const io::Json& row, io::Sample& sample) {
  const auto video = find(row, "video");
  if (!video) {
    throw InputError("{}: the key 'video' is missing, found the keys {}", row.where(),
                     keys_of(row));
  }
  sample.kind = io::MediaKind::kFrames;
  sample.media = options_.videos->read(*video);
  return video->string();
}

std::vector<io::Sample> JsonlSource::samples_of(const io::Json& row, int64_t line) {
  const auto captions = find(row, find(row, "captions") ? "captions" : "caption");
  const auto question = find(row, "question");
  const auto text = options_.videos ? std::nullopt : find(row, "text");
  if ((captions ? 1 : 0) + (question ? 1 : 0) + (text ? 1 : 0) != 1) {
    throw InputError("{}: expected one of caption, captions, question{}, found the keys {}",
                     row.where(), options_.videos ? "" : ", text", keys_of(row));
  }
  io::Sample sample;
  std::vector<std::string> answers;
  if (text) {
    sample.turns.push_back({io::TurnRole::kText, text_of(*text)});
  } else if (question) {
    sample.turns.push_back({io::TurnRole::kUser, text_of(*question)});
    const auto answer = find(row, "answer");
    if (!answer) throw InputError("{}: the key 'answer' is missing", row.where());
    answers = {texts_of(*answer)[0]};
  } else {
    answers = texts_of(*captions);
    if (options_.first_caption_only) answers.resize(1);
  }
  std::string name = options_.videos ? read_video(row, sample) : read_images(row, sample);
  if (sample.media.empty() != text.has_value() && !question) {
    throw InputError("{}: expected {}, found the keys {}", row.where(),
                     text ? "a text without images" : "a caption with image, images or frames",
                     keys_of(row));
  }
  if (const auto id = find(row, "id")) name = id->is_string() ? id->string() : id->dump();
  sample.key = name.empty() ? fmt::format("line {}", line) : name;
  if (text) return {sample};
  return one_sample_per_answer(sample, answers);
}

}  // namespace lynceus::prepare
