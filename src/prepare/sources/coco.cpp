#include "prepare/sources/coco.h"

#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "prepare/json_stream.h"
#include "prepare/row_text.h"

namespace lynceus::prepare {

CocoSource::CocoSource(CocoOptions options)
    : options_(std::move(options)),
      images_(options_.root.empty() ? options_.file.parent_path() : options_.root, options_.check) {
  const auto take = [&](const std::string& array, const io::Json& element) {
    if (array == "annotations") {
      ++annotations_;
      return;
    }
    const std::string id = id_of(element.at("id"));
    const auto [place, is_new] = file_names_.try_emplace(id, element.at("file_name").string());
    if (!is_new && place->second != element.at("file_name").string())
      throw InputError("{}: the id {} belongs to two images", element.where(), id);
  };
  read_json_elements(options_.file, {"images", "annotations"}, take);
  if (file_names_.empty() || annotations_ == 0)
    throw InputError(
        "{}: expected COCO captions with the arrays images and annotations, found {} images and {} "
        "annotations",
        options_.file.string(), file_names_.size(), annotations_);
}

void CocoSource::read(int64_t skip, const RowSink& sink) {
  std::unordered_set<std::string> captioned;  // images whose first caption was read
  int64_t index = 0;
  read_json_elements(options_.file, {"annotations"},
                     [&](const std::string&, const io::Json& annotation) {
                       const bool is_skipped = index++ < skip;
                       if (is_skipped && !options_.first_caption_only) return;
                       SourceRow row = make_row([&]() -> std::vector<io::Sample> {
                         const std::string id = id_of(annotation.at("image_id"));
                         if (options_.first_caption_only && !captioned.insert(id).second) return {};
                         if (is_skipped) return {};
                         return samples_of(annotation, id);
                       });
                       row.done = index;
                       if (!is_skipped) sink(std::move(row));
                     });
}

std::vector<io::Sample> CocoSource::samples_of(const io::Json& annotation, const std::string& id) {
  const auto found = file_names_.find(id);
  if (found == file_names_.end())
    throw RejectedRow("unknown picture id", "{}: image_id {} is not among the images",
                      annotation.where(), id.substr(0, 100));
  io::Sample sample;
  sample.key = fmt::format("{}#{}", found->second, id_of(annotation.at("id")));
  sample.turns.push_back({io::TurnRole::kAssistant, text_of(annotation.at("caption"))});
  sample.media.push_back(images_.read(found->second, annotation.where()));
  return {sample};
}

}  // namespace lynceus::prepare
