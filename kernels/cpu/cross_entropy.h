// The CPU side of kernels/cross_entropy.h: same contracts, shapes already checked; a label that is
// neither in the vocabulary nor kNotScored is an InternalError here.
#pragma once

#include "kernels/cross_entropy.h"

namespace lynceus::kernels::cpu {

void cross_entropy_partial(const Tensor& logits, const Tensor& labels, const VocabularyShard& shard,
                           const Tensor& row_max, const Tensor& partial);
void cross_entropy_rebase(const Tensor& local_max, const Tensor& row_max, const Tensor& partial);
void cross_entropy_finish(const Tensor& logits, const Tensor& labels, const VocabularyShard& shard,
                          const Tensor& row_max, const Tensor& partial, float label_smoothing,
                          bool gradient, const Tensor* row_loss, const Tensor* row_correct);

}  // namespace lynceus::kernels::cpu
