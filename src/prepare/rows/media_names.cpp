#include "prepare/rows/media_names.h"

#include <algorithm>

#include "core/text/ascii.h"

namespace lynceus::prepare {
namespace {

struct MediaWord {
  std::string_view name;
  Medium medium;
};

constexpr MediaWord kWords[] = {
    {"image", Medium::kImage}, {"img", Medium::kImage},        {"picture", Medium::kImage},
    {"photo", Medium::kImage}, {"screenshot", Medium::kImage}, {"video", Medium::kVideo},
    {"audio", Medium::kAudio}, {"sound", Medium::kAudio},      {"speech", Medium::kAudio},
    {"voice", Medium::kAudio},
};

constexpr MediaWord kEndings[] = {
    {"jpg", Medium::kImage},  {"jpeg", Medium::kImage}, {"png", Medium::kImage},
    {"webp", Medium::kImage}, {"gif", Medium::kImage},  {"bmp", Medium::kImage},
    {"tif", Medium::kImage},  {"tiff", Medium::kImage}, {"jfif", Medium::kImage},
    {"avif", Medium::kImage}, {"heic", Medium::kImage}, {"svg", Medium::kImage},
    {"mp4", Medium::kVideo},  {"avi", Medium::kVideo},  {"mov", Medium::kVideo},
    {"mkv", Medium::kVideo},  {"webm", Medium::kVideo}, {"m4v", Medium::kVideo},
    {"mpg", Medium::kVideo},  {"mpeg", Medium::kVideo}, {"wmv", Medium::kVideo},
    {"flv", Medium::kVideo},  {"wav", Medium::kAudio},  {"mp3", Medium::kAudio},
    {"flac", Medium::kAudio}, {"ogg", Medium::kAudio},  {"m4a", Medium::kAudio},
    {"aac", Medium::kAudio},  {"opus", Medium::kAudio},
};

constexpr std::string_view kForms[] = {"",       "_path", "_paths", "_file",   "_files",
                                       "_bytes", "_data", "path",   "_base64", "file"};
constexpr std::string_view kReferences[] = {"_name", "_names", "_url", "_urls",
                                            "_id",   "_ids",   "url"};

bool is_one_of(std::string_view text, std::span<const std::string_view> all) {
  return std::find(all.begin(), all.end(), text) != all.end();
}

bool is_url(std::string_view path) { return path.find("://") != std::string_view::npos; }

/// Without folders, and without the query of a URL.
std::string_view file_name(std::string_view path) {
  if (is_url(path)) path = path.substr(0, path.find_first_of("?#"));
  return path.substr(path.find_last_of("/\\") + 1);  // 0 without one
}

Medium medium_of_path(std::string_view path) {
  constexpr size_t kMaxBytes = 4096;
  if (path.find('.') == std::string_view::npos) return Medium::kNone;
  if (path.size() > kMaxBytes || path.find('\n') != std::string_view::npos) return Medium::kNone;
  while (path.ends_with(' ')) path.remove_suffix(1);
  const std::string_view name = file_name(path);
  const size_t dot = name.rfind('.');
  constexpr size_t kLongest = 4;
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot - 1 > kLongest)
    return Medium::kNone;
  const std::string ending = ascii_lower(name.substr(dot + 1));
  for (const MediaWord& known : kEndings)
    if (known.name == ending) return known.medium;
  return Medium::kNone;
}

/// Without the number or the letter of image2, image_2, image_b.
std::string_view without_number(std::string_view form) {
  const bool has_letter = form.size() == 2 && form[0] == '_' && form[1] >= 'a' && form[1] <= 'z';
  if (has_letter) return "";
  const size_t end = form.find_last_not_of("0123456789") + 1;  // 0 if there are only digits
  if (end == form.size()) return form;
  form = form.substr(0, end);
  if (form.ends_with('_')) form.remove_suffix(1);
  return form;
}

}  // namespace

MediaKey medium_of_key(std::string_view name) {
  constexpr std::string_view kFirst = "ipvas";  // of kWords
  if (name.empty() || kFirst.find(ascii_lower(name[0])) == std::string_view::npos) return {};
  const std::string key = ascii_lower(name);
  for (const MediaWord& word : kWords) {
    if (!key.starts_with(word.name)) continue;
    std::string_view form = std::string_view(key).substr(word.name.size());
    if (form.starts_with('s')) form.remove_prefix(1);
    form = without_number(form);
    if (is_one_of(form, kForms)) return {word.medium, false};
    if (is_one_of(form, kReferences)) return {word.medium, true};
  }
  return {};
}

Medium medium_of_file(const io::Json& value) {
  if (value.is_string()) return medium_of_path(value.string_view());
  if (value.is_array() && value.size() > 0) return medium_of_file(value.at(0));
  if (!value.is_object()) return Medium::kNone;
  for (const char* key : {"path", "url"})
    if (const auto path = value.find(key); path && path->is_string())
      return medium_of_path(path->string_view());
  return Medium::kNone;
}

std::optional<NamedFile> named_file(const io::Json& row) {
  const std::vector<std::string_view> keys = row.keys();
  const bool has_any = std::any_of(keys.begin(), keys.end(), [](std::string_view key) {
    return (key.starts_with('f') || key.starts_with('p')) && is_one_of(key, kFileNameKeys);
  });
  if (!has_any) return std::nullopt;
  for (const std::string_view key : kFileNameKeys) {
    const auto value = row.find(key);
    const Medium medium = value && value->is_string() ? medium_of_file(*value) : Medium::kNone;
    if (medium == Medium::kImage || medium == Medium::kVideo) return NamedFile{key, medium};
  }
  return std::nullopt;
}

MediaNames::MediaNames(const io::Json& row, std::span<const std::string_view> read) {
  for (const std::string_view key : read)
    if (const auto value = row.find(key)) add(key, *value);
}

void MediaNames::add(std::string_view key, const io::Json& value) {
  const Medium medium = key == "frames" ? Medium::kImage : medium_of_key(key).medium;
  if (medium != Medium::kNone || is_one_of(key, kFileNameKeys) || key == "url")
    return add_file(medium, value);
  if (value.is_array())
    for (const io::Json& element : value.elements()) add("", element);
  if (value.is_object())
    for (const auto& [name, member] : value.members()) add(name, member);
}

void MediaNames::add_file(Medium medium, const io::Json& value) {
  if (value.is_array())
    for (const io::Json& element : value.elements()) add_file(medium, element);
  if (value.is_object())
    for (const auto& [name, member] : value.members()) add_file(medium, member);
  if (value.is_number()) names_.emplace_back(medium, value.dump());
  if (!value.is_string()) return;
  const std::string_view path = value.string_view();
  if (medium == Medium::kNone) medium = medium_of_path(path);
  if (medium != Medium::kNone && !path.empty()) names_.emplace_back(medium, file_name(path));
}

bool MediaNames::have(std::string_view key, const io::Json& value) const {
  const MediaKey named = medium_of_key(key);
  const Medium medium = named.medium == Medium::kNone ? medium_of_file(value) : named.medium;
  const bool is_reference = named.is_reference || value.is_number() || value.is_boolean() ||
                            (value.is_string() && is_url(value.string_view()));
  return std::any_of(names_.begin(), names_.end(), [&](const auto& known) {
    const bool is_same = value.is_string() && file_name(value.string_view()) == known.second;
    return known.first == medium && (is_same || is_reference);
  });
}

}  // namespace lynceus::prepare
