// Lynx's Open-VQA, one object a line with its keys as they are:
//
//   {"dataset": "Open_VQA_images", "question": "...", "answer": ["...", ...], "index": 1,
//    "image": "a/b.jpg", "origin_dataset": "places365", "class": "Place"}
//
// Of the answers the first counts. Questions are scored by class, so each class is a source of its
// own. Samples are named DATASET#INDEX. Where "video" stands in the place of "image", some frames
// of it are taken (src/prepare/video.h). Used by `lynceus prepare openvqa`.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "prepare/json_stream.h"
#include "prepare/source.h"
#include "prepare/video.h"

namespace lynceus::prepare {

struct OpenVqaOptions {
  std::filesystem::path file = {};
  std::filesystem::path root = {};  ///< where the pictures' paths begin; empty: the file's folder
  std::string question_class = {};  ///< rows of this class are read, the others do not count
  /// Rows that have no class, or are no objects, count here; for one of a file's sources.
  bool takes_malformed = false;
  PictureCheck check = PictureCheck::kDecode;
  std::shared_ptr<VideoReader> videos = nullptr;  ///< null: rows with a video are rejected
};

class OpenVqaSource : public Source {
 public:
  /// The classes of a file, in the order in which they come.
  static std::vector<std::string> classes(const std::filesystem::path& file);

  explicit OpenVqaSource(OpenVqaOptions options);

  SourceExtent extent() const override { return {count_, "questions", count_}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  bool is_ours(const std::string& name) const;
  io::Sample sample_of(const io::Json& row);

  OpenVqaOptions options_;
  JsonRows rows_;
  PictureReader pictures_;
  int64_t count_ = 0;
};

}  // namespace lynceus::prepare
