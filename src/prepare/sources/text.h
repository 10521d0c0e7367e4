// Instructions without pictures, a JSON array or one object a line, in two shapes:
//
//   {"instruction": "...", "input": "...", "output": "..."}              Alpaca; input may be empty
//   {"id": "...", "conversations": [{"from": "human", "value": "..."}, ...]}      ShareGPT
//
// Used by `lynceus prepare text`.
#pragma once

#include <filesystem>

#include "prepare/json_stream.h"
#include "prepare/source.h"

namespace lynceus::prepare {

class TextSource : public Source {
 public:
  explicit TextSource(const std::filesystem::path& file) : rows_(file) {}

  SourceExtent extent() const override { return {rows_.count(), "rows", rows_.count()}; }
  void read(int64_t skip, const RowSink& sink) override;

 private:
  JsonRows rows_;
};

}  // namespace lynceus::prepare
