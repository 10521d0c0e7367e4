// COCO captions (captions_train2017.json): an object with the arrays `images` (id, file_name) and
// `annotations` (id, image_id, caption) in any order; other members are ignored. One sample per
// annotation, in file order, with the key FILE_NAME#ANNOTATION_ID, or FILE_NAME#row N for an
// annotation without an id. Ids are names: 1, 1.0 and "1" are the same.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>

#include "prepare/image_reader.h"
#include "prepare/rows/json_stream.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

struct CocoOptions {
  std::filesystem::path file = {};
  std::filesystem::path root = {};  ///< that file_name is relative to; empty: directory of `file`
  bool first_caption_only = false;  ///< that can be used, of an image; otherwise all
  ImageCheck check = ImageCheck::kDecode;
};

class CocoSource : public Source {
 public:
  /// Reads the list of images into memory and counts the annotations. InputError if the file is
  /// another one of COCO's; an empty file has no annotation.
  explicit CocoSource(CocoOptions options);

  SourceExtent extent() const override { return {annotations_, "captions", annotations_}; }
  void read(int64_t skip, const RowSink& sink) override;
  SourceAccount account() const override { return account_; }

 private:
  /// An element of `images`. Without a problem it can be used.
  struct Picture {
    std::string file_name;
    std::string problem;
  };

  void add_picture(const JsonRow& element);
  /// Fills key and turns; returns the file name of the picture.
  std::string caption_of(const io::Json& annotation, const std::string& id, int64_t index,
                         io::Sample& sample) const;

  CocoOptions options_;
  ImageReader images_;
  std::unordered_map<std::string, Picture> pictures_;  // by id
  std::string unnamed_problem_;                        // of the first element without a usable id
  int64_t annotations_ = 0;
  SourceAccount account_;
};

}  // namespace lynceus::prepare
