// Cross-entropy over a vocabulary that is split over ranks (Megatron-LM, Shoeybi et al. 2019): the
// logits are never gathered, only four numbers per row. The caller all-reduces between the steps.
//
// logits [rows, vocab_local], f32 or bf16, are overwritten by their gradient in the last step. The
// local columns 0..vocab_valid are real, the rest is padding (−inf in the softmax, zero gradient).
// labels i32 [rows] are global ids or -100 (not scored: zero loss, zero gradient). Label smoothing
// e mixes the target with the uniform distribution over all `vocab_global` tokens, as torch does.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

constexpr int32_t kNotScored = -100;

struct VocabularyShard {
  int64_t begin = 0;   ///< global id of local column 0
  int64_t valid = 0;   ///< real local columns
  int64_t global = 0;  ///< rows of the full vocabulary
};

/// Numbers per row of `partial`.
constexpr int64_t kCrossEntropyPartials = 4;

/// row_max[r] = max over the real local columns (−inf without any);  partial[r] = {Σ exp(l −
/// row_max), l[target] or 0, Σ l, the number of tokens before the target that have the maximum}.
/// row_max [rows], partial [rows, 4]
void cross_entropy_partial(const Stream& stream, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial);

/// Converts partial from this shard's maxima to those over all shards; then it may be summed over
/// the shards. A target whose logit is the maximum, with no such token before it, is the result of
/// argmax.
void cross_entropy_rebase(const Stream& stream, const Tensor& local_max, const Tensor& row_max,
                          const Tensor& partial);

/// With row_max over all shards and partial summed over them: the loss of each scored row (0 for
/// others),
///   loss = (1 − e) · (lse − l[target]) + e · (lse − mean l),  lse = max + log Σ exp(l − max)
/// row_loss [rows] and row_correct u8 [rows] (1: scored, and the target is the result of argmax),
/// null: not wanted.  logits = dloss/dlogits = softmax − (1 − e) · onehot − e / V if `gradient`,
/// unchanged otherwise.
void cross_entropy_finish(const Stream& stream, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss, const Tensor* row_correct = nullptr);

}  // namespace lynceus::kernels
