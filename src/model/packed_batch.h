// PackedBatch: one micro-batch as the LLM sees it. Sequences follow each other without padding, and
// there is no batch axis. Positions are explicit, so that the released code's left-padded positions
// can be given.
#pragma once

#include "kernels/cached_attention.h"

namespace lynceus::model {

/// Where the rows of a batch are in the caches of keys and values, which have the same layout in
/// all decoder layers.
///
/// The sequences that begin in the batch come first: their keys are their own rows. The others
/// continue sequences whose earlier keys are in the cache.
struct CacheRows {
  Tensor written;                        // i32 [tokens]: the cache row of each row's key and value
  kernels::CumulativeLengths begun;      // rows of the sequences that begin here
  kernels::CumulativeLengths continued;  // rows of the others, counted from the first of them
  kernels::CachedKeys keys;              // of the others, their rows in the batch included
};

/// The keys and values of one decoder layer, f32 or bf16.
struct LayerCache {
  Tensor k, v;  // [capacity, kv_heads_local · head_dim]; k rotated
};

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
  CacheRows cache;                        // used where the layers get caches
  Tensor cos, sin;                        // f32 [tokens, head_dim / 2], filled by LlmStage::prepare

  int64_t tokens() const { return sequences.tokens(); }
  int64_t scored() const { return scored_rows.defined() ? scored_rows.dim(0) : 0; }
  int64_t visual_tokens() const { return visual_rows.defined() ? visual_rows.dim(0) : 0; }
};

}  // namespace lynceus::model
