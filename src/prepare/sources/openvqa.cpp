#include "prepare/sources/openvqa.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "prepare/rows/conversation.h"
#include "prepare/rows/ordered_rows.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/row_text.h"

namespace lynceus::prepare {
namespace {

/// Empty if the row has no usable class.
std::string class_of(const io::Json& row) {
  if (!row.is_object()) return "";
  const auto found = row.find("class");
  return found && found->is_string() ? trimmed(found->string()) : "";
}

/// The class of the row; empty for a malformed line.
std::string class_or_none(const JsonRow& row) {
  try {
    return class_of(row());
  } catch (const InputError&) {
    return "";
  }
}

}  // namespace

std::vector<std::string> OpenVqaSource::classes(const std::filesystem::path& file) {
  std::vector<std::string> names;
  JsonRows(file).for_each([&](const JsonRow& row) {
    const std::string name = class_or_none(row);
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  });
  return names;
}

OpenVqaSource::OpenVqaSource(OpenVqaOptions options)
    : options_(std::move(options)),
      rows_(options_.file),
      images_(options_.root.empty() ? options_.file.parent_path() : options_.root, options_.check) {
  rows_.for_each([&](const JsonRow& row) {
    if (is_read(class_or_none(row))) ++count_;
  });
}

bool OpenVqaSource::is_read(const std::string& name) const {
  return name.empty() ? options_.takes_malformed : name == options_.question_class;
}

void OpenVqaSource::read(int64_t skip, const RowSink& sink) {
  int64_t index = 0;
  OrderedRows rows(options_.videos ? options_.videos->workers() : 1, sink);
  rows_.for_each([&](const JsonRow& row) {
    if (!is_read(class_or_none(row)) || index++ < skip) return;
    rows.add(index, row,
             [this, index](const io::Json& value) { return content_of_row(value, index - 1); });
  });
  rows.finish();
}

RowContent OpenVqaSource::content_of_row(const io::Json& row, int64_t index) {
  constexpr std::string_view kRead[] = {"question", "answer", "image", "video"};
  refuse_unread(row, kRead);
  text_of(row.at("class"));
  io::Sample sample;
  const std::string number = id_of(row.find("index"));
  const std::string dataset = id_of(row.find("dataset"));
  sample.key = fmt::format("{}#{}", dataset.empty() ? options_.file.stem().string() : dataset,
                           number.empty() ? fmt::format("row {}", index + 1) : number);
  LeftOut further;
  const std::string answer = first_text_of(row.at("answer"), kFurtherAnswers, further)[0];
  sample.turns = {{io::TurnRole::kUser, text_of(row.at("question"))},
                  {io::TurnRole::kAssistant, answer}};
  if (const auto video = content_of(row, "video")) {
    refuse_clip(row);
    if (!options_.videos)
      throw RejectedRow("unread key video", "{}: expected an image, found a video", row.where());
    if (content_of(row, "image"))
      throw RejectedRow("unread key image", "{}: expected an image or a video, found both",
                        row.where());
    sample.media = options_.videos->read(path_of(*video), video->where());
    take_placeholders(sample.turns, {sample.media.size(), true}, row.where());
  } else {
    sample.media.push_back(images_.read(path_of(row.at("image")), row.at("image").where()));
    take_placeholders(sample.turns, {1, false}, row.where());
  }
  trim_turns(sample.turns, row.where());
  return {std::move(sample), std::move(further)};
}

}  // namespace lynceus::prepare
