#include "prepare/rows/instructions.h"

#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "prepare/rows/conversation.h"
#include "prepare/rows/media_names.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/row_text.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {
namespace {

constexpr std::string_view kReadOfAll[] = {"system", "tools", "functions", "image",
                                           "images", "video", "videos"};

/// In the original Alpaca, "text" has the other texts of the row once more.
void check_whole_prompt(const io::Json& row) {
  const auto whole = content_of(row, "text");
  if (!whole) return;
  const std::string text = text_of(*whole);
  for (const char* key : {"instruction", "input", "output"}) {
    const auto part = content_of(row, key);
    if (part && text.find(text_of(*part)) == std::string::npos)
      throw RejectedRow("unread key text",
                        "{}: expected a 'text' that contains instruction, input and output, found "
                        "one without the {}",
                        row.where(), key);
  }
}

std::vector<io::Turn> alpaca_turns(const io::Json& row) {
  std::vector<io::Turn> turns;
  if (const auto history = content_of(row, "history")) {
    for (const io::Json& pair : history->elements()) {
      if (pair.size() != 2)
        throw InputError("{}: expected a question and an answer, found {} texts", pair.where(),
                         pair.size());
      turns.push_back({io::TurnRole::kUser, text_of(pair.at(0))});
      turns.push_back({io::TurnRole::kAssistant, text_of(pair.at(1))});
    }
  }
  std::string question;
  for (const char* key : {"instruction", "input"}) {
    const auto part = content_of(row, key);
    if (part) question += (question.empty() ? "" : "\n") + text_of(*part);
  }
  if (question.empty()) question = text_of(row.at("instruction"));
  turns.push_back({io::TurnRole::kUser, question});
  turns.push_back({io::TurnRole::kAssistant, text_of(row.at("output"))});
  check_whole_prompt(row);
  return turns;
}

/// Puts "system", "tools" and "functions" in front, in the system turn of the conversation if it
/// has one.
void add_system(const io::Json& row, std::vector<io::Turn>& turns) {
  std::string text;
  const auto add = [&](const std::string& part) {
    if (!part.empty() && part != text) text += (text.empty() ? "" : "\n") + part;
  };
  if (const auto system = content_of(row, "system")) add(text_of(*system));
  const bool has_turn = !turns.empty() && turns[0].role == io::TurnRole::kSystem;
  if (has_turn) add(trimmed(turns[0].text));
  for (const char* key : {"tools", "functions"}) {
    const auto tools = content_of(row, key);
    if (!tools) continue;
    const std::string list = tools->is_string() ? text_of(*tools) : tools->dump();
    if (list != "[]" && list != "{}" && list != "null") add(list);
  }
  if (text.empty()) return;
  if (!has_turn) turns.insert(turns.begin(), io::Turn{io::TurnRole::kSystem, ""});
  turns[0].text = text;
}

/// The media of a key: a value, or a list of them.
std::vector<io::Json> media_of(const io::Json& row, const char* key) {
  const auto found = content_of(row, key);
  if (!found) return {};
  return found->is_array() ? found->elements() : std::vector{*found};
}

void append_media(const io::Json& row, const char* key, std::vector<io::Json>& media) {
  const std::vector<io::Json> more = media_of(row, key);
  if (!more.empty() && !media.empty())
    throw RejectedRow(fmt::format("unread key {}", key),
                      "{}: expected the media in one place, found '{}' besides others", row.where(),
                      key);
  media.insert(media.end(), more.begin(), more.end());
}

/// The key of the form that the row has: the first one with content. An instruction may be empty,
/// as its input is a question too.
std::string form_of(const io::Json& row) {
  constexpr const char* kForms[] = {"conversations", "messages", "instruction"};
  for (const char* key : kForms)
    if (content_of(row, key)) return key;
  for (const char* key : {"instruction", "conversations", "messages"})
    if (row.find(key)) return key;
  throw InputError("{}: expected conversations, messages or instruction, found the keys {}",
                   row.where(), keys_of(row));
}

}  // namespace

Instructions instructions_of(const io::Json& row) {
  Instructions result;
  std::vector<io::Json> videos;
  std::vector<std::string_view> read(std::begin(kReadOfAll), std::end(kReadOfAll));
  const std::string form = form_of(row);
  if (form == "instruction") {
    for (const char* key : {"instruction", "input", "output", "history", "text"})
      read.emplace_back(key);
    refuse_unread_content(row, read);
    result.turns = alpaca_turns(row);
  } else {
    read.emplace_back(form);
    refuse_unread_content(row, read);
    result.turns = turns_of(row.at(form), &result.images, &videos);
  }
  add_system(row, result.turns);
  for (const char* key : {"image", "images"}) append_media(row, key, result.images);
  for (const char* key : {"video", "videos"}) append_media(row, key, videos);
  const auto file = videos.empty() && result.images.empty() ? named_file(row) : std::nullopt;
  if (file) {
    (file->medium == Medium::kImage ? result.images : videos).push_back(row.at(file->key));
    read.push_back(file->key);
  }
  refuse_unread_media(row, read);
  if (videos.empty()) return result;
  refuse_clip(row);
  if (videos.size() > 1 || !result.images.empty())
    throw RejectedRow(content_of(row, "videos") ? "unread key videos" : "unread key video",
                      "{}: expected images or one video, found {} images and {} videos",
                      row.where(), result.images.size(), videos.size());
  result.video = videos[0];
  return result;
}

std::vector<io::Turn> turns_of(const Instructions& instructions, size_t media,
                               const std::string& where, size_t& dropped) {
  std::vector<io::Turn> turns = instructions.turns;
  take_placeholders(turns, {media, instructions.video.has_value()}, where);
  const size_t first = !turns.empty() && turns[0].role == io::TurnRole::kSystem ? 1 : 0;
  const bool is_caption =
      media > 0 && turns.size() == first + 2 && turns[first].role == io::TurnRole::kUser &&
      turns[first + 1].role == io::TurnRole::kAssistant && trimmed(turns[first].text).empty();
  if (!is_caption) return alternating_turns(std::move(turns), where, dropped);
  turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(first));
  trim_turns(turns, where);
  return turns;
}

}  // namespace lynceus::prepare
