// Rows to samples. See source_jsonl.h.
#include "io/source_jsonl.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "io/file.h"
#include "io/image.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxPictureBytes = 64ull << 20;

int64_t count_lines(const fs::path& path) {
  const File file = File::open(path);
  const uint64_t size = file.size();
  std::string buffer;
  int64_t lines = 0;
  for (uint64_t done = 0; done < size; done += buffer.size()) {
    buffer.resize(std::min<uint64_t>(size - done, 1 << 20));
    file.read_at(done, buffer.data(), buffer.size());
    lines += std::count(buffer.begin(), buffer.end(), '\n');
  }
  return lines + (!buffer.empty() && buffer.back() != '\n' ? 1 : 0);
}

/// Without space at its ends; InputError when nothing is left.
std::string text_of(const Json& value) {
  const std::string text = value.string();
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) {
    throw InputError("{}: expected a text, found an empty one", value.where());
  }
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// The texts of a list that may not be empty, or the one text that stands in its place.
std::vector<std::string> texts_of(const Json& value) {
  if (!value.is_array()) return {text_of(value)};
  std::vector<std::string> texts;
  for (const Json& element : value.elements()) texts.push_back(text_of(element));
  if (texts.empty()) {
    throw InputError("{}: expected a text at least, found an empty list", value.where());
  }
  return texts;
}

std::string keys_of(const Json& row) {
  std::string keys;
  for (const auto& [key, value] : row.members()) keys += (keys.empty() ? "" : ", ") + key;
  return keys.empty() ? "none" : keys;
}

}  // namespace

JsonlSource::JsonlSource(JsonlOptions options)
    : options_(std::move(options)), line_count_(count_lines(options_.file)), lines_(options_.file) {
  if (options_.root.empty()) options_.root = options_.file.parent_path();
  if (options_.root.empty()) options_.root = ".";
  if (!fs::is_directory(options_.root)) {
    throw IoError("--root {}: expected a folder, found none", options_.root.string());
  }
}

std::optional<JsonlRow> JsonlSource::next() {
  JsonlRow row;
  try {
    const auto value = lines_.next();
    if (!value) return std::nullopt;
    row.samples = samples_of(*value);
  } catch (const InputError& error) {
    row.problem = error.what();
  }
  return row;
}

std::string JsonlSource::read_picture(const Json& path) const {
  const fs::path relative = fs::path(text_of(path)).lexically_normal();
  if (relative.is_absolute() || *relative.begin() == "..") {
    throw InputError("{}: expected a path below {}, found {}", path.where(), options_.root.string(),
                     relative.string());
  }
  std::string encoded;
  try {
    encoded = read_text(options_.root / relative, kMaxPictureBytes);
  } catch (const IoError& error) {
    throw InputError("{}: {}", path.where(), error.what());
  }
  decode_image(encoded, fmt::format("{}: {}", path.where(), relative.string()));
  return encoded;
}

void JsonlSource::read_media(const Json& row, Sample& sample, std::string& name) const {
  const auto read = [&](const Json& path) {
    sample.media.push_back(read_picture(path));
    if (name.empty()) name = path.string();
  };
  int lists = 0;
  for (const char* key : {"image", "images", "frames"}) {
    const auto found = row.find(key);
    if (!found) continue;
    if (++lists > 1) {
      throw InputError("{}: expected one of image, images, frames, found more", row.where());
    }
    if (key == std::string_view("image")) {
      read(*found);
      continue;
    }
    sample.kind =
        key == std::string_view("images") ? MediaKind::kSeparateImages : MediaKind::kFrames;
    for (const Json& path : found->elements()) read(path);
  }
}

std::vector<Sample> JsonlSource::samples_of(const Json& row) const {
  const auto captions = row.find(row.find("captions") ? "captions" : "caption");
  const auto question = row.find("question");
  const auto text = row.find("text");
  if ((captions ? 1 : 0) + (question ? 1 : 0) + (text ? 1 : 0) != 1) {
    throw InputError("{}: expected one of caption, captions, question, text, found the keys {}",
                     row.where(), keys_of(row));
  }
  Sample sample;
  std::string name;
  std::vector<std::string> answers;
  if (text) {
    sample.turns.push_back({TurnRole::kText, text_of(*text)});
  } else if (question) {
    sample.turns.push_back({TurnRole::kUser, text_of(*question)});
    answers = {texts_of(row.at("answer"))[0]};
  } else {
    answers = texts_of(*captions);
    if (options_.first_caption_only) answers.resize(1);
  }
  read_media(row, sample, name);
  if (sample.media.empty() != text.has_value() && !question) {
    throw InputError("{}: expected {}, found the keys {}", row.where(),
                     text ? "a text without pictures" : "a caption with image, images or frames",
                     keys_of(row));
  }
  if (const auto id = row.find("id")) name = id->is_string() ? id->string() : id->dump();
  sample.key = name.empty() ? fmt::format("line {}", lines_.line_number()) : name;

  std::vector<Sample> samples(std::max<size_t>(1, answers.size()), sample);
  for (size_t i = 0; i < answers.size(); ++i) {
    samples[i].turns.push_back({TurnRole::kAssistant, answers[i]});
    if (answers.size() > 1) samples[i].key += fmt::format("#{}", i + 1);
  }
  return samples;
}

}  // namespace lynceus::io
