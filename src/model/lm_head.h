// The language model head: final norm, logits, cross-entropy, with the vocabulary split over
// grid.tensor. Logits are computed for scored rows only and never gathered. Forward also computes
// their gradient in their place and multiplies it down to the norm's output, so between forward and
// backward only the gradient of the normed rows is kept.
#pragma once

#include "kernels/cross_entropy.h"
#include "model/config.h"
#include "model/embedding.h"
#include "model/linear.h"
#include "model/norm.h"
#include "model/packed_batch.h"

namespace lynceus::model {

struct LmHead {
  RmsNorm norm;
  Linear lm_head;                 // [vocab_local, hidden], the last shard padded at its end
  bool shares_embedding = false;  // lm_head.weight is the stage's embedding, which owns it
  kernels::VocabularyShard vocabulary;
  float label_smoothing = 0;

  struct Saved {
    RmsNorm::Saved norm;
    Tensor dnormed;  // [scored, hidden]
  };
  struct Loss {
    Tensor row_loss;     // f32 [scored], equal on all tensor ranks
    Tensor row_correct;  // u8 [scored]: 1 where the target is the argmax (the first of equals)
  };

  /// h [tokens, hidden] -> the loss of each scored row. With `saved`, the gradient of the sum of
  /// the losses is also computed down to the norm's output and, where trained, added to lm_head's.
  Loss forward(const Runtime& rt, const PackedBatch& batch, const Tensor& h, Saved* saved) const;
  /// -> dh [tokens, hidden], the gradient of the sum of the losses: there is no dy.
  void backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved, Tensor* dh) const;
  /// This rank's columns of the logits of every row, [tokens, vocab_local].
  Tensor logits(const Runtime& rt, const Tensor& h) const;
  /// The same in f32. Of a packed lm_head (LynxModel::freeze) they are not rounded before: in bf16
  /// many would be equal.
  Tensor wide_logits(const Runtime& rt, const Tensor& h) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

/// With model.tie_word_embeddings the output matrix is embed_tokens.weight: that of `embedding` if
/// this stage has it, else a copy of its own under the same name.
LmHead make_lm_head(const Runtime& rt, const LlmConfig& config, const Embedding* embedding,
                    double label_smoothing);

}  // namespace lynceus::model
