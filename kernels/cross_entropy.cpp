// Checks of the cross-entropy kernels, then the device's implementation.
#include "kernels/cross_entropy.h"

#include "kernels/checks.h"
#include "kernels/cpu/cross_entropy.h"

namespace lynceus::kernels {
namespace {

void check_logits(const char* kernel, const Stream& stream, const Tensor& logits,
                  const VocabularyShard& shard, const Tensor& row_max) {
  check_on_cpu(kernel, stream);
  check_matrix(kernel, "logits", logits, logits.rows(), logits.cols());
  check_vector(kernel, "row_max", row_max, logits.rows());
  if (shard.begin < 0 || shard.valid < 0 || shard.valid > logits.cols() ||
      (shard.valid > 0 && shard.begin + shard.valid > shard.global))
    throw InternalError("{}: {} real columns from {} of a vocabulary of {} in logits {}", kernel,
                        shard.valid, shard.begin, shard.global, description(logits));
}

}  // namespace

void cross_entropy_row_max(const Stream& stream, const Tensor& logits, const VocabularyShard& shard,
                           const Tensor& row_max) {
  check_logits("cross_entropy_row_max", stream, logits, shard, row_max);
  cpu::cross_entropy_row_max(logits, shard, row_max);
}

void cross_entropy_partial(const Stream& stream, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial) {
  constexpr const char* kKernel = "cross_entropy_partial";
  check_logits(kKernel, stream, logits, shard, row_max);
  check_vector(kKernel, "labels", labels, logits.rows(), DType::kI32);
  check_matrix(kKernel, "partial", partial, logits.rows(), kCrossEntropyPartials);
  cpu::cross_entropy_partial(logits, labels, shard, row_max, partial);
}

void cross_entropy_finish(const Stream& stream, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss) {
  constexpr const char* kKernel = "cross_entropy_finish";
  check_logits(kKernel, stream, logits, shard, row_max);
  check_vector(kKernel, "labels", labels, logits.rows(), DType::kI32);
  check_matrix(kKernel, "partial", partial, logits.rows(), kCrossEntropyPartials);
  check_vector(kKernel, "row_loss", row_loss, logits.rows());
  cpu::cross_entropy_finish(logits, labels, shard, row_max, partial, label_smoothing, gradient,
                            row_loss);
}

}  // namespace lynceus::kernels
