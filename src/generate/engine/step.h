// One step of a batch, as every stage computes it: all tokens of the prompts that begin, then one
// token of each live sequence of the others.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "generate/engine/cache.h"
#include "generate/engine/feed.h"
#include "model/packed_batch.h"

namespace lynceus::generate {

/// A prompt that is being answered.
struct Active {
  Prompt prompt;
  int64_t visual = 0;  // visual tokens
  Sequences sequences;
  std::optional<Search> search;  // on the rank that decides
  bool begun = false;            // its prompt was computed

  int64_t prompt_tokens() const { return visual + static_cast<int64_t>(prompt.token_ids.size()); }
};

struct Step {
  model::PackedBatch batch;
  std::vector<Active*> prompts;  // in the order of the batch
  Tensor wanted;                 // i32: rows whose logits are wanted, one a live sequence
};

/// The next step of these prompts; those that have not begun come first.
Step make_step(const Runtime& rt, const std::vector<std::unique_ptr<Active>>& active);

}  // namespace lynceus::generate
