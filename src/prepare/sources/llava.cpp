// See source_llava.h.
#include "prepare/sources/llava.h"

#include <utility>

#include "core/error.h"

namespace lynceus::prepare {
namespace {

constexpr std::string_view kPlaceholder = "<image>";

/// Takes the placeholders out of the text; how many there were.
size_t take_placeholders(std::string& text) {
  size_t count = 0;
  for (size_t at; (at = text.find(kPlaceholder)) != std::string::npos; ++count) {
    size_t length = kPlaceholder.size();
    if (at + length < text.size() && text[at + length] == '\n') ++length;  // its own line
    text.erase(at, length);
  }
  return count;
}

std::vector<io::Turn> turns_without_placeholders(const io::Json& row, size_t pictures) {
  const io::Json conversation = row.at("conversations");
  std::vector<io::Turn> turns = turns_of(conversation);
  size_t placeholders = 0;
  for (io::Turn& turn : turns) {
    if (turn.role == io::TurnRole::kUser) placeholders += take_placeholders(turn.text);
  }
  if (placeholders != 0 && placeholders != pictures)
    throw RejectedRow("placeholders without pictures",
                      "{}: expected as many <image> as pictures or none, found {} and {}",
                      row.where(), placeholders, pictures);
  const size_t first = !turns.empty() && turns[0].role == io::TurnRole::kSystem ? 1 : 0;
  const bool is_caption =
      pictures > 0 && turns.size() == first + 2 && turns[first].role == io::TurnRole::kUser &&
      turns[first + 1].role == io::TurnRole::kAssistant && trimmed(turns[first].text).empty();
  if (!is_caption) return settled_turns(std::move(turns), conversation.where());
  turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(first));
  turns.back().text = text_of(conversation.at(first + 1).at("value"));
  return turns;
}

}  // namespace

LlavaSource::LlavaSource(LlavaOptions options)
    : rows_(options.file),
      pictures_(options.root.empty() ? options.file.parent_path() : options.root, options.check) {}

void LlavaSource::read(int64_t skip, const RowSink& sink) {
  rows_.read_from(skip, sink, [&](const io::Json& row, int64_t index) -> std::vector<io::Sample> {
    return {sample_of(row, index)};
  });
}

io::Sample LlavaSource::sample_of(const io::Json& row, int64_t index) {
  const auto image = row.find("image");
  std::vector<io::Json> paths;
  if (image && image->is_array()) {
    paths = image->elements();
  } else if (image && !image->is_null()) {
    paths = {*image};
  }
  io::Sample sample;
  sample.kind = paths.size() > 1 ? io::MediaKind::kSeparateImages : io::MediaKind::kFrames;
  sample.turns = turns_without_placeholders(row, paths.size());
  for (const io::Json& path : paths) sample.media.push_back(pictures_.read(path));
  const auto id = row.find("id");
  sample.key = id ? id_of(*id) : fmt::format("row {}", index + 1);
  return sample;
}

}  // namespace lynceus::prepare
