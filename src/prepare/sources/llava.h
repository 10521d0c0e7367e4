// LLaVA's conversations: a JSON array (or one object a line) of
//
//   {"id": "1", "image": "a/b.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is
//   it?"}, {"from": "gpt", "value": "A cat."}, ...]}
//
// "image" may be absent or a list. Visual tokens always stand in front of the text, so the
// placeholders are taken out; there must be as many of them as pictures, or none. A first turn that
// is nothing but a placeholder is left out: the answer then is a caption. Used by `lynceus prepare
// llava`.
#pragma once

#include <filesystem>

#include "prepare/json_stream.h"
#include "prepare/source.h"

namespace lynceus::prepare {

struct LlavaOptions {
  std::filesystem::path file = {};
  std::filesystem::path root = {};  ///< where the pictures' paths begin; empty: the file's folder
  PictureCheck check = PictureCheck::kDecode;
};

class LlavaSource : public Source {
 public:
  explicit LlavaSource(LlavaOptions options);

  SourceExtent extent() const override { return {rows_.count(), "conversations", rows_.count()}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  io::Sample sample_of(const io::Json& row, int64_t index);

  JsonRows rows_;
  PictureReader pictures_;
};

}  // namespace lynceus::prepare
