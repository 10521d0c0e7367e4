// LLaVA conversations: a JSON array of objects, or one object per line,
//
//   {"id": "1", "image": "a/b.jpg",
//    "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
//                      {"from": "gpt", "value": "A cat."}, ...]}
//
// "image" may be absent or a list. Visual tokens always come before the text, so the placeholders
// <image> are removed; there must be one per image, or none. A single question that is only a
// placeholder is dropped, and its answer is a caption.
#pragma once

#include <filesystem>

#include "prepare/image_reader.h"
#include "prepare/json_stream.h"
#include "prepare/source.h"

namespace lynceus::prepare {

struct LlavaOptions {
  std::filesystem::path file = {};
  std::filesystem::path root =
      {};  ///< that image paths are relative to; empty: directory of `file`
  ImageCheck check = ImageCheck::kDecode;
};

class LlavaSource : public Source {
 public:
  explicit LlavaSource(LlavaOptions options);

  SourceExtent extent() const override { return {rows_.count(), "conversations", rows_.count()}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  io::Sample sample_of(const io::Json& row, int64_t index);

  JsonRows rows_;
  ImageReader images_;
};

}  // namespace lynceus::prepare
