// The CUDA side of kernels/cross_entropy.h: same contracts, arguments already checked.
#pragma once

#include "kernels/cross_entropy.h"

namespace lynceus::kernels::cuda {

void cross_entropy_partial(const Stream& stream, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial);
void cross_entropy_rebase(const Stream& stream, const Tensor& local_max, const Tensor& row_max,
                          const Tensor& partial);
void cross_entropy_finish(const Stream& stream, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss, const Tensor* row_correct);

}  // namespace lynceus::kernels::cuda
