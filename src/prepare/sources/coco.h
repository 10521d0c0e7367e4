// COCO captions (captions_train2017.json): an object with the arrays `images` (id, file_name) and
// `annotations` (id, image_id, caption) in any order; other members are ignored. One sample per
// annotation, in file order, with the key FILE_NAME#ANNOTATION_ID.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>

#include "prepare/image_reader.h"
#include "prepare/source.h"

namespace lynceus::prepare {

struct CocoOptions {
  std::filesystem::path file = {};
  std::filesystem::path root = {};  ///< that file_name is relative to; empty: directory of `file`
  bool first_caption_only = false;  ///< of an image; otherwise all
  ImageCheck check = ImageCheck::kDecode;
};

class CocoSource : public Source {
 public:
  /// Reads the list of images into memory and counts the annotations. InputError if the file has no
  /// COCO captions.
  explicit CocoSource(CocoOptions options);

  SourceExtent extent() const override { return {annotations_, "captions", annotations_}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  std::vector<io::Sample> samples_of(const io::Json& annotation, const std::string& id);

  CocoOptions options_;
  ImageReader images_;
  std::unordered_map<std::string, std::string> file_names_;  // by id
  int64_t annotations_ = 0;
};

}  // namespace lynceus::prepare
