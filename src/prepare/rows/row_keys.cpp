#include "prepare/rows/row_keys.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/text/ascii.h"
#include "core/text/text_encoding.h"
#include "prepare/rows/media_names.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {
namespace {

struct ContentKey {
  std::string_view name;
  const char* hint = "";  // which source reads it
};

constexpr const char* kConversations = "; the source llava reads conversations";
constexpr const char* kVideos = "; the sources video and llava read videos";

constexpr ContentKey kContentKeys[] = {
    // media
    {"audio"},
    {"audios"},
    {"frames"},
    {"image"},
    {"images"},
    {"sound"},
    {"speech"},
    {"video", kVideos},
    {"videos", kVideos},
    // conversations
    {"conversation"},
    {"conversations", kConversations},
    {"dialog"},
    {"dialogue"},
    {"function_call"},
    {"functions"},
    {"history"},
    {"input"},
    {"instruction", kConversations},
    {"messages", kConversations},
    {"output"},
    {"reasoning"},
    {"reasoning_content"},
    {"system"},
    {"system_prompt"},
    {"thinking"},
    {"tool_calls"},
    {"tools"},
    // questions, captions, answers
    {"answer"},
    {"answers"},
    {"attachment"},
    {"attachments"},
    {"candidates"},
    {"caption"},
    {"captions"},
    {"choices"},
    {"chosen"},
    {"completion"},
    {"context"},
    {"description"},
    {"descriptions"},
    {"distractors"},
    {"document"},
    {"documents"},
    {"explanation"},
    {"hint"},
    {"lecture"},
    {"long_caption"},
    {"multiple_choices"},
    {"options"},
    {"passage"},
    {"prompt"},
    {"query"},
    {"question"},
    {"questions"},
    {"rationale"},
    {"rejected"},
    {"response"},
    {"solution"},
    {"subtitle"},
    {"subtitles"},
    {"summary"},
    {"text"},
    {"texts"},
    {"transcript"},
    {"transcripts"},
};

constexpr const char* kMediaHint =
    "; media are read from image, images or video, or in the source jsonl from the key that "
    "--map image=KEY names";

constexpr std::string_view kClipKeys[] = {"start",       "end",       "start_time", "end_time",
                                          "start_frame", "end_frame", "start_sec",  "end_sec",
                                          "clip_start",  "clip_end"};

using KeysByLetter = std::array<std::vector<const ContentKey*>, 26>;

KeysByLetter keys_by_letter() {
  KeysByLetter keys;
  for (const ContentKey& key : kContentKeys)
    keys[static_cast<size_t>(key.name[0] - 'a')].push_back(&key);
  return keys;
}

/// Without regard to case.
const ContentKey* content_key(std::string_view name) {
  static const KeysByLetter kKeys = keys_by_letter();
  const char first = name.empty() ? '\0' : ascii_lower(name[0]);
  if (first < 'a' || first > 'z') return nullptr;
  for (const ContentKey* key : kKeys[static_cast<size_t>(first - 'a')])
    if (key->name.size() == name.size() && key->name == ascii_lower(name)) return key;
  return nullptr;
}

bool is_one_of(std::string_view key, std::span<const std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

[[noreturn]] void refuse(const io::Json& row, std::string_view key, const char* hint) {
  constexpr size_t kShown = 100;
  throw RejectedRow("unread key " + table_cell(ascii_lower(key.substr(0, kShown))),
                    "{}: the key '{}' has content that is not read from such a row{}", row.where(),
                    key, hint);
}

void refuse_keys(const io::Json& row, std::span<const std::string_view> read, bool content,
                 bool media) {
  std::optional<MediaNames> names;  // of the media that are read
  for (const std::string_view key : row.keys()) {
    if (is_one_of(key, read)) continue;
    const ContentKey* known = content ? content_key(key) : nullptr;
    if (known == nullptr && (!media || key == "id")) continue;
    const io::Json value = row.at(key);
    const bool is_named = known != nullptr || medium_of_key(key).medium != Medium::kNone;
    if ((!is_named && medium_of_file(value) == Medium::kNone) || !has_content(value)) continue;
    if (known != nullptr) refuse(row, key, known->hint);
    if (!names) names.emplace(row, read);
    if (!names->have(key, value)) refuse(row, key, kMediaHint);
  }
}

}  // namespace

bool has_content(const io::Json& value) {
  if (value.is_string())
    return value.string_view().find_first_not_of(" \t\r\n") != std::string_view::npos;
  if (value.is_boolean()) return value.boolean();
  if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i)
      if (has_content(value.at(i))) return true;
    return false;
  }
  if (value.is_object()) {
    const auto keys = value.keys();
    return std::any_of(keys.begin(), keys.end(),
                       [&](std::string_view key) { return has_content(value.at(key)); });
  }
  return !value.is_null();
}

std::optional<io::Json> content_of(const io::Json& row, std::string_view key) {
  auto found = row.find(key);
  if (found && !has_content(*found)) found.reset();
  return found;
}

std::optional<io::Json> content_of(const io::Json& row, std::span<const std::string_view> keys) {
  for (const std::string_view key : keys)
    if (auto found = content_of(row, key)) return found;
  return std::nullopt;
}

void refuse_unread(const io::Json& row, std::span<const std::string_view> read) {
  refuse_keys(row, read, true, true);
}

void refuse_unread_content(const io::Json& row, std::span<const std::string_view> read) {
  refuse_keys(row, read, true, false);
}

void refuse_unread_media(const io::Json& row, std::span<const std::string_view> read) {
  refuse_keys(row, read, false, true);
}

void refuse_clip(const io::Json& row) {
  for (const std::string_view key : kClipKeys)
    if (content_of(row, key))
      refuse(row, key, "; videos are read from their beginning to their end");
}

}  // namespace lynceus::prepare
