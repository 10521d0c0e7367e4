// COCO captions (captions_train2017.json and its like): an object with the arrays `images` (id,
// file_name) and `annotations` (id, image_id, caption), in any order, beside what else there is.
// One sample an annotation, in the order of the annotations, named FILE_NAME#ANNOTATION_ID. Used by
// `lynceus prepare coco`.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>

#include "prepare/source.h"

namespace lynceus::prepare {

struct CocoOptions {
  std::filesystem::path file = {};
  std::filesystem::path root = {};  ///< where file_name begins; empty: the file's folder
  bool first_caption_only = false;  ///< of a picture; otherwise all
  PictureCheck check = PictureCheck::kDecode;
};

class CocoSource : public Source {
 public:
  /// Reads the list of images, which stays in memory, and counts the annotations. InputError for a
  /// file that is no COCO captions.
  explicit CocoSource(CocoOptions options);

  SourceExtent extent() const override { return {annotations_, "captions", annotations_}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  std::vector<io::Sample> samples_of(const io::Json& annotation, const std::string& id);

  CocoOptions options_;
  PictureReader pictures_;
  std::unordered_map<std::string, std::string> file_names_;  // by id
  int64_t annotations_ = 0;
};

}  // namespace lynceus::prepare
