// PackedBatch: one micro-batch as the LLM sees it. Sequences follow each other without padding, and
// there is no batch axis. Positions are explicit, so that the released code's left-padded positions
// can be given.
#pragma once

#include "kernels/attention.h"

namespace lynceus::model {

struct PackedBatch {
  Tensor token_ids;                       // i32 [tokens]; -1 on visual rows
  Tensor positions;                       // i32 [tokens]
  kernels::CumulativeLengths sequences;   // rows where sequences begin
  Tensor visual_rows;                     // i32 [visual tokens]: their rows, media item by item
  std::vector<int> items;                 // media items in the order of visual_rows
  Tensor scored_rows;                     // i32 [scored]: rows whose label counts
  Tensor scored_labels;                   // i32 [scored]: the token that follows the row
  std::vector<int32_t> sample_of_scored;  // [scored]: index of the sample in the micro-batch
  std::vector<int64_t> samples;           // index of each sequence in the global batch
  Tensor cos, sin;                        // f32 [tokens, head_dim / 2], filled by LlmStage::prepare

  int64_t tokens() const { return sequences.tokens(); }
  int64_t scored() const { return scored_rows.defined() ? scored_rows.dim(0) : 0; }
  int64_t visual_tokens() const { return visual_rows.defined() ? visual_rows.dim(0) : 0; }
};

}  // namespace lynceus::model
