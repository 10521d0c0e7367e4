#include "prepare/sources/openvqa.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "prepare/ordered_rows.h"
#include "prepare/row_text.h"

namespace lynceus::prepare {
namespace {

/// Empty if the row has no usable class.
std::string class_of(const io::Json& row) {
  if (!row.is_object()) return "";
  const auto found = row.find("class");
  return found && found->is_string() ? trimmed(found->string()) : "";
}

/// The class of the row; empty for a malformed line.
std::string class_or_none(const std::function<io::Json()>& value) {
  try {
    return class_of(value());
  } catch (const InputError&) {
    return "";
  }
}

/// The row if it names a video. Only those take long enough for several threads.
std::optional<io::Json> video_row(const std::function<io::Json()>& value) {
  try {
    io::Json row = value();
    if (row.is_object() && row.find("video")) return row;
  } catch (const InputError&) {
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> OpenVqaSource::classes(const std::filesystem::path& file) {
  std::vector<std::string> names;
  JsonRows(file).for_each([&](const std::function<io::Json()>& value) {
    const std::string name = class_or_none(value);
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  });
  return names;
}

OpenVqaSource::OpenVqaSource(OpenVqaOptions options)
    : options_(std::move(options)),
      rows_(options_.file),
      images_(options_.root.empty() ? options_.file.parent_path() : options_.root, options_.check) {
  rows_.for_each([&](const std::function<io::Json()>& value) {
    if (is_read(class_or_none(value))) ++count_;
  });
}

bool OpenVqaSource::is_read(const std::string& name) const {
  return name.empty() ? options_.takes_malformed : name == options_.question_class;
}

void OpenVqaSource::read(int64_t skip, const RowSink& sink) {
  int64_t index = 0;
  OrderedRows rows(options_.videos ? options_.videos->workers() : 1, sink);
  rows_.for_each([&](const std::function<io::Json()>& value) {
    if (!is_read(class_or_none(value)) || index++ < skip) return;
    if (const auto video = video_row(value)) {
      rows.add(index, [this, video]() -> std::vector<io::Sample> { return {sample_of(*video)}; });
      return;
    }
    SourceRow row = make_row([&]() -> std::vector<io::Sample> { return {sample_of(value())}; });
    row.done = index;
    rows.add(std::move(row));
  });
  rows.finish();
}

io::Sample OpenVqaSource::sample_of(const io::Json& row) {
  text_of(row.at("class"));
  io::Sample sample;
  sample.key = fmt::format("{}#{}", text_of(row.at("dataset")), row.at("index").integer());
  sample.turns = {{io::TurnRole::kUser, text_of(row.at("question"))},
                  {io::TurnRole::kAssistant, texts_of(row.at("answer"))[0]}};
  if (const auto video = row.find("video")) {
    if (!options_.videos)
      throw RejectedRow("video", "{}: expected an image, found a video", video->where());
    sample.media = options_.videos->read(*video);
  } else {
    sample.media.push_back(images_.read(row.at("image")));
  }
  return sample;
}

}  // namespace lynceus::prepare
