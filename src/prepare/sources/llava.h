// Instructions with or without media: a JSON array of objects, or one object per line, in the forms
// of prepare/rows/instructions.h. `prepare llava` and `prepare text` both use this source.
//
// Visual tokens always come before the text, so the placeholders <image> and <video> are removed;
// there must be one per image or video, or none. A single question that is only a placeholder is
// dropped, and its answer is a caption. "id" is the key of the sample; without it, "row N".
#pragma once

#include <filesystem>
#include <memory>

#include "prepare/image_reader.h"
#include "prepare/rows/json_stream.h"
#include "prepare/rows/source.h"
#include "prepare/video.h"

namespace lynceus::prepare {

struct LlavaOptions {
  std::filesystem::path file = {};
  std::filesystem::path root =
      {};  ///< that paths of media are relative to; empty: directory of `file`
  ImageCheck check = ImageCheck::kDecode;
  std::shared_ptr<VideoReader> videos = nullptr;  ///< null: rows with a video are rejected
};

class LlavaSource : public Source {
 public:
  explicit LlavaSource(LlavaOptions options);

  SourceExtent extent() const override { return {rows_.count(), "rows", rows_.count()}; }
  void read(int64_t skip, const RowSink& sink) override;
  SourceAccount account() const override { return {.notes = rows_.notes()}; }

 private:
  RowContent content_of_row(const io::Json& row, int64_t index);

  JsonRows rows_;
  ImageReader images_;
  std::shared_ptr<VideoReader> videos_;
};

}  // namespace lynceus::prepare
