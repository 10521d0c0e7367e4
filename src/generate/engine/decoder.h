// The decoder answers prompts on the ranks of a replica (tensor × pipeline). Replicas work on their
// own and do not communicate.
//
// As many batches of prompts are in flight as there are stages. In one turn each stage computes one
// step of another batch; then activations move to the next stage, and the last stage decides how
// the batch that it has finished continues and tells all ranks, so that the first stage can take it
// again in the next turn. A step of a batch computes one token of each live sequence and all tokens
// of the prompts that begin in it; a prompt begins as soon as another has its answer.
//
// With a frozen model (LynxModel::freeze) and rt.ordered_sums the answer of a prompt is a function
// of the prompt and the model alone: on CPUs in f32 to the last bit, for any batches, grid with 1,
// 2, 4 or 8 tensor ranks, and number of threads.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "generate/engine/cache.h"
#include "generate/engine/decisions.h"
#include "generate/engine/feed.h"
#include "generate/engine/step.h"
#include "generate/engine/visual_store.h"

namespace lynceus::generate {

struct DecoderOptions {
  int64_t batch_size = 8;     ///< prompts of a batch
  DType cache = DType::kF32;  ///< f32 or bf16
  int64_t cache_rows = 0;     ///< of all prompts in flight; it grows if one prompt needs more
  int32_t bos = 1;            ///< stands in the history of an answer, never embedded
};

/// The most live sequences of a prompt.
int64_t most_sequences(const Settings& settings);
int64_t most_sequences(const Prompt& prompt);
/// The most tokens of an answer.
int64_t most_new_tokens(const Prompt& prompt);

class Decoder {
 public:
  /// `model` is frozen and outlives the decoder.
  Decoder(const Runtime& rt, const model::LynxModel& model, const DecoderOptions& options);

  /// Collective over the replica: answers all prompts of the feed. Errors: NumericError if logits
  /// are not finite, on all ranks of the replica.
  void run(Feed* feed);

  int64_t cache_bytes() const { return cache_.bytes(); }
  int64_t media_encoded() const { return store_.media_encoded(); }

 private:
  struct Batch {
    std::vector<std::unique_ptr<Active>> active;
    std::optional<Step> step;  // from its plan to its decisions
    Tensor input;              // of this stage, [tokens, hidden]: visual tokens, or activations
  };

  /// Fills free places of the batch with prompts and plans its next step. False: it is idle.
  bool plan(Batch* batch, Feed* feed);
  void begin_prompts(Batch* batch, Feed* feed);
  /// On the rank that decides.
  void begin_search(Active* active) const;
  bool make_room(int64_t rows);
  Tensor visual_tokens(const Step& step) const;
  /// One turn: entering, computed here and finished by the last stage; null: none.
  void turn(Batch* here, Batch* coming, Batch* finished, Feed* feed);
  /// Last stage, collective over its tensor ranks: f32 logits [wanted, vocab] in host memory on the
  /// first of them.
  Tensor gather_logits(const Step& step, const Tensor& h) const;
  /// On the rank that decides.
  Decisions decide(const Step& step, const Tensor& logits) const;
  void apply(const Decisions& decisions, Batch* batch, Feed* feed);
  bool is_deciding() const { return rt_.grid.replica->rank() == deciding_rank(); }
  int deciding_rank() const { return rt_.grid.tensor->size() * (rt_.grid.pipeline->size() - 1); }

  const Runtime& rt_;
  const model::LynxModel& model_;
  DecoderOptions options_;
  Cache cache_;
  VisualStore store_;
  std::vector<Batch> batches_;
  std::optional<Prompt> waiting_;  // for rows of the cache
};

}  // namespace lynceus::generate
