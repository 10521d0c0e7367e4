// Open-VQA of the Lynx paper, as published: one object per line, or an array of them,
//
//   {"dataset": "Open_VQA_images", "question": "...", "answer": ["...", ...], "index": 1,
//    "image": "a/b.jpg", "origin_dataset": "places365", "class": "Place"}
//
// The first answer that is not empty is used. Questions are scored by class, so each class is a
// source of its own. The key of a sample is DATASET#INDEX; without an index, DATASET#row N. A row
// may have "video" instead of "image"; frames of it are stored then.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "prepare/image_reader.h"
#include "prepare/rows/json_stream.h"
#include "prepare/rows/source.h"
#include "prepare/video.h"

namespace lynceus::prepare {

struct OpenVqaOptions {
  std::filesystem::path file = {};
  std::filesystem::path root =
      {};  ///< that image paths are relative to; empty: directory of `file`
  std::string question_class = {};  ///< only rows of this class are read and counted
  /// Also reads rows without a class and malformed rows. Set for one source of each file.
  bool takes_malformed = false;
  ImageCheck check = ImageCheck::kDecode;
  std::shared_ptr<VideoReader> videos = nullptr;  ///< null: rows with a video are rejected
};

class OpenVqaSource : public Source {
 public:
  /// The classes of a file in order of first appearance.
  static std::vector<std::string> classes(const std::filesystem::path& file);

  explicit OpenVqaSource(OpenVqaOptions options);

  SourceExtent extent() const override { return {count_, "questions", count_}; }
  void read(int64_t skip, const RowSink& sink) override;
  SourceAccount account() const override {
    return {.notes = options_.takes_malformed ? rows_.notes() : std::vector<std::string>()};
  }

 private:
  bool is_read(const std::string& name) const;
  RowContent content_of_row(const io::Json& row, int64_t index);

  OpenVqaOptions options_;
  JsonRows rows_;
  ImageReader images_;
  int64_t count_ = 0;
};

}  // namespace lynceus::prepare
