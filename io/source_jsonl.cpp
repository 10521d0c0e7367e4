// Rows to samples. See source_jsonl.h.
#include "io/source_jsonl.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "io/lines.h"
#include "io/tsv.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFields[] = {"image",    "images", "frames", "caption", "captions",
                                   "question", "answer", "text",   "id"};

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

/// A TSV file has a first line of names unless the map speaks of numbers alone.
bool has_header(const FieldMap& map) {
  return map.empty() || !std::all_of(map.begin(), map.end(),
                                     [](const auto& pair) { return is_number(pair.second); });
}

}  // namespace

FieldMap parse_field_map(const std::vector<std::string>& pairs) {
  FieldMap map;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    const std::string field = pair.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == pair.size())
      throw UsageError("--map: expected field=key, found '{}'", pair);
    if (std::find(std::begin(kFields), std::end(kFields), field) == std::end(kFields))
      throw UsageError("--map {}: expected one of {}, found '{}'", pair, fmt::join(kFields, ", "),
                       field);
    if (!map.emplace(field, pair.substr(equals + 1)).second)
      throw UsageError("--map: the field {} is given twice", field);
  }
  return map;
}

JsonlSource::JsonlSource(JsonlOptions options)
    : options_(std::move(options)),
      line_count_(count_lines(options_.file)),
      pictures_(options_.root.empty() ? options_.file.parent_path() : options_.root,
                options_.check) {}

void JsonlSource::read(int64_t skip, const RowSink& sink) {
  if (options_.file.extension() == ".tsv") {
    read_lines(TsvLines(options_.file, has_header(options_.map)), skip, sink);
  } else {
    read_lines(JsonLines(options_.file), skip, sink);
  }
}

template <typename RowLines>
void JsonlSource::read_lines(RowLines lines, int64_t skip, const RowSink& sink) {
  for (bool at_end = false; !at_end;) {
    SourceRow row = make_row([&]() -> std::vector<Sample> {
      const std::optional<Json> value = lines.next();
      at_end = !value;
      if (!value || skip > 0) return {};
      return samples_of(*value, lines.line_number());
    });
    if (at_end || skip-- > 0) continue;
    row.done = lines.line_number();
    sink(std::move(row));
  }
}

std::optional<Json> JsonlSource::find(const Json& row, const std::string& field) const {
  if (options_.map.empty()) return row.find(field);
  const auto found = options_.map.find(field);
  return found == options_.map.end() ? std::nullopt : row.find(found->second);
}

std::string JsonlSource::read_media(const Json& row, Sample& sample) {
  std::string name;
  const auto read = [&](const Json& path) {
    sample.media.push_back(pictures_.read(path));
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
    sample.kind =
        field == std::string_view("images") ? MediaKind::kSeparateImages : MediaKind::kFrames;
    for (const Json& path : found->elements()) read(path);
  }
  return name;
}

std::vector<Sample> JsonlSource::samples_of(const Json& row, int64_t line) {
  const auto captions = find(row, find(row, "captions") ? "captions" : "caption");
  const auto question = find(row, "question");
  const auto text = find(row, "text");
  if ((captions ? 1 : 0) + (question ? 1 : 0) + (text ? 1 : 0) != 1) {
    throw InputError("{}: expected one of caption, captions, question, text, found the keys {}",
                     row.where(), keys_of(row));
  }
  Sample sample;
  std::vector<std::string> answers;
  if (text) {
    sample.turns.push_back({TurnRole::kText, text_of(*text)});
  } else if (question) {
    sample.turns.push_back({TurnRole::kUser, text_of(*question)});
    const auto answer = find(row, "answer");
    if (!answer) throw InputError("{}: the key 'answer' is missing", row.where());
    answers = {texts_of(*answer)[0]};
  } else {
    answers = texts_of(*captions);
    if (options_.first_caption_only) answers.resize(1);
  }
  std::string name = read_media(row, sample);
  if (sample.media.empty() != text.has_value() && !question) {
    throw InputError("{}: expected {}, found the keys {}", row.where(),
                     text ? "a text without pictures" : "a caption with image, images or frames",
                     keys_of(row));
  }
  if (const auto id = find(row, "id")) name = id->is_string() ? id->string() : id->dump();
  sample.key = name.empty() ? fmt::format("line {}", line) : name;
  if (text) return {sample};
  return one_sample_an_answer(sample, answers);
}

}  // namespace lynceus::io
