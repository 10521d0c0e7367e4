#include "prepare/rows/conversation.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/row_text.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {
namespace {

constexpr std::string_view kImage = "<image>";
constexpr std::string_view kVideo = "<video>";
constexpr std::string_view kAudio = "<audio>";

struct Speaker {
  std::string_view name;
  io::TurnRole role;
};

constexpr Speaker kSpeakers[] = {
    {"human", io::TurnRole::kUser},
    {"user", io::TurnRole::kUser},
    {"observation", io::TurnRole::kUser},
    {"tool", io::TurnRole::kUser},
    {"function", io::TurnRole::kUser},
    {"tool_response", io::TurnRole::kUser},
    {"function_response", io::TurnRole::kUser},
    {"gpt", io::TurnRole::kAssistant},
    {"assistant", io::TurnRole::kAssistant},
    {"chatgpt", io::TurnRole::kAssistant},
    {"bing", io::TurnRole::kAssistant},
    {"bard", io::TurnRole::kAssistant},
    {"model", io::TurnRole::kAssistant},
    {"function_call", io::TurnRole::kAssistant},
    {"tool_call", io::TurnRole::kAssistant},
    {"system", io::TurnRole::kSystem},
    {"developer", io::TurnRole::kSystem},
};

io::TurnRole role_of(const io::Json& from) {
  const std::string name = from.string();
  for (const Speaker& speaker : kSpeakers)
    if (name == speaker.name) return speaker.role;
  throw InputError("{}: expected human, user, gpt, assistant, system or a tool, found '{}'",
                   from.where(), name.substr(0, 100));
}

/// Turns the parts of one message into text with placeholders.
class Parts {
 public:
  Parts(std::vector<io::Json>* images, std::vector<io::Json>* videos)
      : images_(images), videos_(videos) {}

  std::string text_of_parts(const io::Json& parts) {
    for (const io::Json& part : parts.elements()) add(part);
    return std::move(text_);
  }

 private:
  void add(const io::Json& part) {
    if (part.is_string()) return add_line(part.string());
    const std::string type = part.at("type").string();
    if (type == "text" || type == "input_text" || type == "output_text") {
      constexpr std::string_view kRead[] = {"text"};
      refuse_unread(part, kRead);
      return add_line(part.at("text").string());
    }
    for (const auto& [medium, placeholder, paths] :
         {std::tuple{"image", kImage, images_}, std::tuple{"video", kVideo, videos_}}) {
      const std::string name = medium;
      if (type != name && type != name + "_url" && type != "input_" + name) continue;
      if (const auto path = path_in(part, name)) paths->push_back(*path);
      return add_line(std::string(placeholder));
    }
    const bool is_audio = type.find("audio") != std::string::npos;
    throw RejectedRow(is_audio ? "unread key audio" : "unread part of a message",
                      "{}: expected a part of type text, image, image_url or video, found '{}'",
                      part.where(), type.substr(0, 100));
  }
  /// RejectedRow for other content of the part, such as a second path.
  static std::optional<io::Json> path_in(const io::Json& part, const std::string& medium) {
    const std::string url = medium + "_url";
    const std::string id = medium + "_id";  // a name, no content
    const std::string_view paths[] = {medium, url, "path", "url"};
    std::optional<io::Json> path;
    std::vector<std::string_view> read = {id};
    for (const std::string_view key : paths) {
      const auto found = content_of(part, key);
      if (found && path)
        throw RejectedRow(fmt::format("unread key {}", key),
                          "{}: expected one path, found {} besides another", part.where(), key);
      if (!found) continue;
      path = found;
      read.push_back(key);
    }
    refuse_unread(part, read);
    return path;
  }
  void add_line(const std::string& line) {
    if (!text_.empty()) text_ += '\n';
    text_ += line;
  }

  std::vector<io::Json>* images_;
  std::vector<io::Json>* videos_;
  std::string text_;
};

/// Removes the placeholders from the text; returns their number.
size_t take(std::string& text, std::string_view placeholder) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos; ++count) {
    size_t length = placeholder.size();
    if (at + length < text.size() && text[at + length] == '\n')
      ++length;  // it has a line of its own
    text.erase(at, length);
  }
  return count;
}

bool has_any(std::string_view text) {
  return text.find(kImage) != std::string_view::npos || text.find(kVideo) != std::string_view::npos;
}

bool has_at_an_end(std::string_view text) {
  return text.starts_with(kImage) || text.starts_with(kVideo) || text.ends_with(kImage) ||
         text.ends_with(kVideo);
}

/// RejectedRow for an answer that is marked as one not to learn from: every answer is.
void refuse_unlearned(const io::Json& turn) {
  for (const char* key : {"weight", "train", "loss"}) {
    const auto mark = turn.find(key);
    if (!mark || mark->is_null()) continue;
    const bool is_learned = mark->is_boolean()  ? mark->boolean()
                            : mark->is_number() ? mark->number() == 1
                                                : !has_content(*mark);
    if (!is_learned)
      throw RejectedRow(fmt::format("unread key {}", key),
                        "{}: every answer of a row is learned, found one with the {} {}",
                        turn.where(), key, mark->dump().substr(0, 100));
  }
}

/// The member of a turn, under its name in one or the other form. The same in both is no conflict.
io::Json one_of(const io::Json& turn, std::string_view first, std::string_view second) {
  auto a = content_of(turn, first);
  auto b = content_of(turn, second);
  const bool agree =
      a && b && (first == "from" ? role_of(*a) == role_of(*b) : a->dump() == b->dump());
  if (a && b && !agree)
    throw RejectedRow(fmt::format("unread key {}", second), "{}: expected {} or {}, found both",
                      turn.where(), first, second);
  if (a || b) return std::move(a ? *a : *b);
  const auto empty = turn.find(second);
  return empty && !empty->is_null() ? *empty : turn.at(first);
}

}  // namespace

std::vector<io::Turn> turns_of(const io::Json& conversation, std::vector<io::Json>* images,
                               std::vector<io::Json>* videos) {
  constexpr std::string_view kRead[] = {"from", "value", "role", "content"};
  std::vector<io::Turn> turns;
  for (const io::Json& turn : conversation.elements()) {
    refuse_unread(turn, kRead);
    const io::TurnRole speaker = role_of(one_of(turn, "from", "role"));
    const bool is_system = speaker == io::TurnRole::kSystem;
    if (is_system && !content_of(turn, "value") && !content_of(turn, "content")) continue;
    if (speaker == io::TurnRole::kAssistant) refuse_unlearned(turn);
    const io::Json value = one_of(turn, "value", "content");
    turns.push_back(
        {speaker, value.is_array() ? Parts(images, videos).text_of_parts(value) : value.string()});
    if (is_system && trimmed(turns.back().text).empty()) turns.pop_back();
  }
  return turns;
}

void trim_turns(std::vector<io::Turn>& turns, const std::string& where) {
  for (io::Turn& turn : turns) {
    if (const std::string text = trimmed(turn.text); text.size() != turn.text.size())
      turn.text = text;
    if (turn.text.empty())
      throw RejectedRow("empty text", "{}: expected a text in every turn, found an empty one",
                        where);
  }
}

std::vector<io::Turn> alternating_turns(std::vector<io::Turn> turns, const std::string& where,
                                        size_t& dropped) {
  std::vector<io::Turn> kept;
  const auto bad = [&](const char* found) {
    return RejectedRow("broken conversation",
                       "{}: expected user and assistant to alternate, found {}", where, found);
  };
  trim_turns(turns, where);
  const size_t all = turns.size();
  for (io::Turn& turn : turns) {
    const bool begins = kept.empty() || kept.back().role == io::TurnRole::kSystem;
    if (turn.role == io::TurnRole::kSystem) {
      if (!kept.empty()) throw bad("a system turn that is not the first");
    } else if (begins) {
      if (turn.role == io::TurnRole::kAssistant) continue;  // an answer without a question
    } else if (turn.role == kept.back().role) {
      throw bad("two turns of one speaker");
    }
    kept.push_back(std::move(turn));
  }
  if (!kept.empty() && kept.back().role == io::TurnRole::kUser) kept.pop_back();
  if (kept.empty() || kept.back().role != io::TurnRole::kAssistant)
    throw bad("no question with an answer");
  dropped = all - kept.size();
  return kept;
}

void take_placeholders(std::vector<io::Turn>& turns, const PlaceholderMedia& media,
                       const std::string& where) {
  size_t images = 0;
  size_t videos = 0;
  if (media.images > 0 && !turns.empty() && turns.back().role == io::TurnRole::kUser &&
      has_any(turns.back().text))
    throw RejectedRow("broken conversation",
                      "{}: expected an answer to the question with the media, found none", where);
  for (io::Turn& turn : turns) {
    const bool is_plain = turn.role == io::TurnRole::kText;
    const bool is_answer = turn.role == io::TurnRole::kAssistant;
    if ((is_plain && has_at_an_end(turn.text)) ||
        (is_answer && media.images > 0 && has_any(turn.text)))
      throw RejectedRow("placeholder in a text that is learned",
                        "{}: expected <image> and <video> only in questions, found one in '{}'",
                        where, turn.text.substr(0, 100));
    if (is_plain || is_answer) continue;
    images += take(turn.text, kImage);
    videos += take(turn.text, kVideo);
    if (turn.text.find(kAudio) != std::string::npos)
      throw RejectedRow("placeholders without media", "{}: found <audio>, and audio is not read",
                        where);
  }
  const size_t found = images + videos;
  if (found == 0) return;
  const bool fits = media.is_video ? found == 1 || (videos == 0 && images == media.images)
                                   : videos == 0 && images == media.images;
  if (!fits)
    throw RejectedRow(
        videos > 0 && !media.is_video ? "placeholders without media"
                                      : "placeholders without pictures",
        "{}: expected one <image> per image or none, found {} <image>, {} <video> and "
        "{} {}",
        where, images, videos, media.images, media.is_video ? "frames" : "images");
}

}  // namespace lynceus::prepare
