// The language model head: final norm, logits, cross-entropy; the vocabulary split over
// grid.tensor. Only scored rows are multiplied, and logits are never gathered: their gradient
// overwrites them and is used up at once, so between forward and backward only the gradient of the
// hidden rows is kept.
#pragma once

#include "kernels/cross_entropy.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/norm.h"
#include "model/packed_batch.h"

namespace lynceus::model {

struct LmHead {
  RmsNorm norm;
  Linear lm_head;  // [vocab_local, hidden], padded at the end of the last shard
  kernels::VocabularyShard vocabulary;
  float label_smoothing = 0;

  struct Saved {
    RmsNorm::Saved norm;
    Tensor dnormed;  // [scored, hidden]
  };
  struct Loss {
    Tensor row_loss;     // f32 [scored], equal on all tensor ranks
    Tensor row_correct;  // u8 [scored]: the target is the first of the largest logits, as in argmax
  };

  /// h [tokens, hidden]. With `saved`, the loss (its sum, weight 1 a row) has also been
  /// differentiated down to the norm and, where trained, into lm_head.
  Loss forward(const Runtime& rt, const PackedBatch& batch, const Tensor& h, Saved* saved) const;
  /// -> dh [tokens, hidden]
  Tensor backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved) const;
  /// This rank's columns of the logits of every row, [tokens, vocab_local].
  Tensor logits(const Runtime& rt, const Tensor& h) const;
  void visit_parameters(const ParameterVisitor& visit);
};

LmHead make_lm_head(const Runtime& rt, const LlmConfig& config, double label_smoothing);

}  // namespace lynceus::model
