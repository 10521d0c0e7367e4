#include "prepare/sources/llava.h"

#include <utility>

#include "prepare/row_text.h"

namespace lynceus::prepare {
namespace {

constexpr std::string_view kPlaceholder = "<image>";

/// Removes the placeholders from the text; returns their number.
size_t take_placeholders(std::string& text) {
  size_t count = 0;
  for (size_t at; (at = text.find(kPlaceholder)) != std::string::npos; ++count) {
    size_t length = kPlaceholder.size();
    if (at + length < text.size() && text[at + length] == '\n')
      ++length;  // it has a line of its own
    text.erase(at, length);
  }
  return count;
}

std::vector<io::Turn> turns_without_placeholders(const io::Json& row, size_t images) {
  const io::Json conversation = row.at("conversations");
  std::vector<io::Turn> turns = turns_of(conversation);
  size_t placeholders = 0;
  for (io::Turn& turn : turns) {
    if (turn.role == io::TurnRole::kUser) placeholders += take_placeholders(turn.text);
  }
  if (placeholders != 0 && placeholders != images)
    throw RejectedRow("placeholders without pictures",
                      "{}: expected one <image> per image or none, found {} <image> and {} images",
                      row.where(), placeholders, images);
  const size_t first = !turns.empty() && turns[0].role == io::TurnRole::kSystem ? 1 : 0;
  const bool is_caption =
      images > 0 && turns.size() == first + 2 && turns[first].role == io::TurnRole::kUser &&
      turns[first + 1].role == io::TurnRole::kAssistant && trimmed(turns[first].text).empty();
  if (!is_caption) return alternating_turns(std::move(turns), conversation.where());
  turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(first));
  turns.back().text = text_of(conversation.at(first + 1).at("value"));
  return turns;
}

}  // namespace

LlavaSource::LlavaSource(LlavaOptions options)
    : rows_(options.file),
      images_(options.root.empty() ? options.file.parent_path() : options.root, options.check) {}

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
  for (const io::Json& path : paths) sample.media.push_back(images_.read(path));
  const auto id = row.find("id");
  sample.key = id ? id_of(*id) : fmt::format("row {}", index + 1);
  return sample;
}

}  // namespace lynceus::prepare
