#include "prepare/sources/coco.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "prepare/rows/conversation.h"
#include "prepare/rows/json_bytes.h"
#include "prepare/rows/json_stream.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/row_text.h"

namespace lynceus::prepare {
namespace {

/// Refuses annotations of another task by the first of them.
void check_has_captions(const std::string& file, const JsonRow& first) {
  const io::Json annotation = first();
  if (!annotation.is_object() || annotation.find("caption")) return;
  for (const char* key : {"bbox", "segmentation", "keypoints", "category_id", "answers"})
    if (annotation.find(key))
      throw InputError(
          "{}: expected annotations with a caption (captions_*.json), found annotations with the "
          "keys {}, as in COCO's files of instances, keypoints or answers",
          file, keys_of(annotation));
}

void check_arrays(const std::string& file, const std::vector<std::string>& keys) {
  const auto has = [&](const char* key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  if (has("images") && has("annotations")) return;
  throw InputError(
      "{}: expected COCO captions, an object with the arrays images and annotations, found an "
      "object with the keys {}{}",
      file, keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", ")),
      has("images")
          ? "; the captions of Karpathy's split are inside its images: write them as rows "
            "{\"image\": ..., \"captions\": [...]} for prepare jsonl"
          : "");
}

}  // namespace

CocoSource::CocoSource(CocoOptions options)
    : options_(std::move(options)),
      images_(options_.root.empty() ? options_.file.parent_path() : options_.root, options_.check) {
  const std::string file = options_.file.string();
  bool is_first = true;
  const auto count = [&](const std::string& array, const JsonRow& element) {
    if (array == "images") return add_picture(element);
    ++annotations_;
    if (!std::exchange(is_first, false)) return;
    const SourceRow ignored = make_row([&]() -> std::vector<io::Sample> {
      element();
      return {};
    });
    if (ignored.reject.empty()) check_has_captions(file, element);
  };
  const JsonArrays arrays = read_json_elements(options_.file, {"images", "annotations"}, count);
  account_.notes = arrays.notes;
  JsonBytes bytes(options_.file);
  bytes.skip_space();
  if (!bytes.at_end()) check_arrays(file, arrays.keys);
}

void CocoSource::add_picture(const JsonRow& element) {
  std::string id;
  Picture picture;
  try {
    const io::Json image = element();
    id = id_of(image.find("id"));
    if (id.empty()) throw InputError("{}: the key 'id' is missing", image.where());
    picture.file_name = text_of(image.at("file_name"));
  } catch (const InputError& error) {
    picture.problem = error.what();
    if (id.empty() && unnamed_problem_.empty()) unnamed_problem_ = picture.problem;
  }
  if (id.empty()) return;
  const auto [place, is_new] = pictures_.try_emplace(id, picture);
  if (!is_new && place->second.file_name != picture.file_name)
    place->second.problem =
        fmt::format("{}: the id {} belongs to two images", options_.file.string(), id);
}

void CocoSource::read(int64_t skip, const RowSink& sink) {
  std::unordered_set<std::string> captioned;  // images with a caption that can be used
  int64_t index = 0;
  const auto pass = [&](const std::string& array, const JsonRow& element) {
    if (array == "images") return;  // read as in the constructor, so that both divide them alike
    const bool is_skipped = index++ < skip;
    if (is_skipped && !options_.first_caption_only) return;
    SourceRow row = make_row([&]() -> RowContent {
      const io::Json annotation = object_of(element());
      const std::string id = id_of(annotation.at("image_id"));
      if (options_.first_caption_only && captioned.contains(id))
        return {std::vector<io::Sample>(), left_out(kFurtherCaptions, 1)};
      io::Sample sample;
      const std::string picture = caption_of(annotation, id, index - 1, sample);
      if (options_.first_caption_only) captioned.insert(id);
      if (is_skipped) return {};
      sample.media.push_back(images_.read(picture, annotation.where()));
      return {std::move(sample), LeftOut()};
    });
    row.done = index;
    if (!is_skipped) sink(std::move(row));
  };
  read_json_elements(options_.file, {"images", "annotations"}, pass);
}

std::string CocoSource::caption_of(const io::Json& annotation, const std::string& id, int64_t index,
                                   io::Sample& sample) const {
  constexpr std::string_view kRead[] = {"caption"};
  refuse_unread_content(annotation, kRead);
  const auto found = pictures_.find(id);
  if (found == pictures_.end())
    throw RejectedRow(
        "unknown picture id", "{}: image_id {} is not among the images{}{}", annotation.where(),
        id.substr(0, 100),
        unnamed_problem_.empty() ? "" : "; one of them cannot be used: ", unnamed_problem_);
  const Picture& picture = found->second;
  if (!picture.problem.empty())
    throw RejectedRow("unusable entry of a picture", "{}: image_id {}: {}", annotation.where(), id,
                      picture.problem);
  const std::string number = id_of(annotation.find("id"));
  sample.key = fmt::format("{}#{}", picture.file_name,
                           number.empty() ? fmt::format("row {}", index + 1) : number);
  sample.turns.push_back({io::TurnRole::kAssistant, text_of(annotation.at("caption"))});
  take_placeholders(sample.turns, {1, false}, annotation.where());
  return picture.file_name;
}

}  // namespace lynceus::prepare
