// Instructions without media: a JSON array or one object per line, in two forms:
//
//   {"instruction": "...", "input": "...", "output": "..."}              Alpaca; input may be empty
//   {"id": "...", "conversations": [{"from": "human", "value": "..."}, ...]}      ShareGPT
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
