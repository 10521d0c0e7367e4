#include "generate/rows/rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/error.h"
#include "generate/rows/answer_text.h"
#include "io/files/json.h"
#include "io/files/json_value.h"
#include "io/files/lines.h"

namespace lynceus::generate {
namespace {

namespace fs = std::filesystem;

/// The paths of a member: a text or a list of texts; none if the row does not have it.
std::vector<fs::path> paths_of(const io::Json& row, const char* key, const fs::path& root) {
  std::vector<fs::path> paths;
  const auto found = row.find(key);
  if (!found || found->is_null()) return paths;
  const auto add = [&](const io::Json& value) {
    if (value.string().empty()) throw InputError("{}: expected a path, found none", value.where());
    paths.push_back(root / value.string());
  };
  if (!found->is_array()) {
    add(*found);
    return paths;
  }
  for (const io::Json& path : found->elements()) add(path);
  return paths;
}

MediaOfRow media_of(const io::Json& row, const RowOptions& options) {
  MediaOfRow media;
  std::string keys;
  for (const char* key : {"image", "images", "video", "frames"}) {
    const std::vector<fs::path> paths = paths_of(row, key, options.root);
    if (paths.empty()) continue;
    if (!keys.empty())
      throw InputError("{}: expected one of image, images, video and frames, found {} and {}",
                       row.where(), keys, key);
    keys = key;
    if (keys == "video") {
      if (paths.size() != 1)
        throw InputError("{}: video: expected one path, found {}", row.where(), paths.size());
      media.video = paths.front();
      media.prompt.item_frames = {options.num_frames};
    } else if (keys == "frames") {
      if (static_cast<int64_t>(paths.size()) > options.num_frames)
        throw InputError("{}: frames: expected at most vision.num_frames = {}, found {}",
                         row.where(), options.num_frames, paths.size());
      media.pictures = paths;
      media.prompt.item_frames = {static_cast<int64_t>(paths.size())};
    } else {
      media.pictures = paths;
      media.prompt.item_frames.assign(paths.size(), 1);
    }
  }
  media.prompt.is_video = keys == "video" || keys == "frames";
  return media;
}

std::string question_of(const io::Json& row, const RowOptions& options) {
  if (!options.question.empty() && !row.find("question")) return options.question;
  std::string question = trimmed(row.at("question").string());
  if (question.empty())
    throw InputError("{}: question: expected a text, found an empty one", row.where());
  return question;
}

std::vector<std::string> options_of(const io::Json& row) {
  std::vector<std::string> texts;
  for (const io::Json& option : row.at("options").elements()) {
    texts.push_back(trimmed(option.string()));
    if (texts.back().empty())
      throw InputError("{}: expected a text, found an empty one", option.where());
  }
  const std::set<std::string> different(texts.begin(), texts.end());
  if (different.size() < 2 || different.size() < texts.size())
    throw InputError("{}: options: expected at least two texts, all different, found {}{}",
                     row.where(), texts.size(),
                     different.size() < texts.size() ? ", some of them equal" : "");
  return texts;
}

Row row_of_json(const std::function<io::Json()>& parse, const std::string& text,
                const RowOptions& options) {
  Row row;
  row.json = text;
  try {
    const io::Json json = parse();
    if (!json.is_object()) throw InputError("{}: expected an object", json.where());
    for (const std::string& key : options.added)
      if (json.find(key))
        throw InputError("{}: {}: expected a row without this member, which its answer gets",
                         json.where(), key);
    row.turns = {{io::TurnRole::kUser, question_of(json, options)}};
    row.media = media_of(json, options);
    if (options.with_options) row.options = options_of(json);
  } catch (const InputError& error) {
    row.problem = error.what();
  }
  return row;
}

/// Whether the first character of the file that is not white space opens an array.
bool is_array(const fs::path& file) {
  const std::string head = io::File::open(file).head(4096);
  const size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return first != std::string::npos && head[first] == '[';
}

}  // namespace

std::string MediaOfRow::name() const {
  if (dataset != nullptr)
    return prompt.item_frames.empty() ? "" : fmt::format("{}#{}", dataset->name(), sample);
  if (!video.empty()) return video.string();
  std::string name;
  for (const fs::path& picture : pictures) name += (name.empty() ? "" : "\n") + picture.string();
  return name.empty() || !prompt.is_video ? name : "frames\n" + name;
}

std::vector<Row> rows_of_file(const fs::path& file, const RowOptions& given) {
  io::expect_file(file, "rows in JSONL");
  RowOptions options = given;
  if (options.root.empty()) options.root = file.parent_path();
  std::vector<Row> rows;
  if (is_array(file)) {
    for (const io::Json& element : io::Json::read(file).elements())
      rows.push_back(row_of_json([&] { return element; }, element.dump(), options));
  } else {
    io::Lines lines(file);
    while (true) {
      std::string text;
      const auto parse = [&] {
        return io::Json::parse(text, fmt::format("{}:{}", file.string(), lines.line_number()));
      };
      try {
        std::string line;
        if (!lines.next(line)) break;
        text = trimmed(line);
      } catch (const InputError& error) {  // the next call continues after the line
        Row unread;
        unread.problem = error.what();
        rows.push_back(std::move(unread));
        continue;
      }
      if (!text.empty()) rows.push_back(row_of_json(parse, text, options));
    }
  }
  if (rows.empty()) throw InputError("{}: expected rows, found none", file.string());
  return rows;
}

std::vector<Row> rows_of_dataset(const io::Dataset& dataset, const train::DatasetPrompts& prompts,
                                 uint64_t seed) {
  std::vector<Row> rows;
  for (int64_t sample = 0; sample < dataset.size(); ++sample) {
    Row row;
    const int64_t count = dataset.media_count(sample);
    row.media.dataset = &dataset;
    row.media.sample = sample;
    if (dataset.kind(sample) == io::MediaKind::kSeparateImages)
      row.media.prompt.item_frames.assign(static_cast<size_t>(count), 1);
    else if (count > 0)
      row.media.prompt = {{count}, count > 1};
    std::vector<io::Turn> turns =
        train::prompted_turns(dataset, sample, prompts, seed, static_cast<uint64_t>(sample));
    while (!turns.empty() && turns.back().role != io::TurnRole::kAssistant) turns.pop_back();
    io::JsonValue json = io::JsonValue::object({{"dataset", dataset.name()},
                                                {"class", dataset.info(sample).task},
                                                {"key", dataset.key(sample)},
                                                {"sample", sample}});
    if (turns.empty()) {
      row.problem = fmt::format("{}: expected an answer in the conversation, found none",
                                dataset.describe(sample));
    } else {
      const std::string reference = turns.back().text;
      row.reference = reference;
      turns.pop_back();
      json.set("question", turns.empty() ? "" : turns.back().text);
      json.set("answer", io::JsonValue::array({reference}));
    }
    row.turns = std::move(turns);
    row.json = json.dump_replacing();
    rows.push_back(std::move(row));
  }
  return rows;
}

Row row_of_image(const fs::path& image, const std::string& question) {
  Row row;
  io::JsonValue json = io::JsonValue::object({{"question", question}});
  if (!image.empty()) {
    json.set("image", image.string());
    row.media.pictures = {image};
    row.media.prompt.item_frames = {1};
  }
  row.json = json.dump_replacing();
  const std::string text = trimmed(question);
  row.turns = {{io::TurnRole::kUser, text}};
  if (text.empty()) row.problem = "question: expected a text, found an empty one";
  return row;
}

}  // namespace lynceus::generate
