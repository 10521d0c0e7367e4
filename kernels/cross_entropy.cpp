#include "kernels/cross_entropy.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/cross_entropy.h"

namespace lynceus::kernels {
namespace {

void check_logits(const char* kernel, const Tensor& logits, const VocabularyShard& shard,
                  const Tensor& row_max) {
  check_activation(kernel, "logits", logits, logits.rows(), logits.cols(), logits.dtype());
  check_vector(kernel, "row_max", row_max, logits.rows());
  if (shard.begin < 0 || shard.valid < 0 || shard.valid > logits.cols() ||
      (shard.valid > 0 && shard.begin + shard.valid > shard.global))
    throw InternalError("{}: {} real columns from {} of a vocabulary of {} in logits {}", kernel,
                        shard.valid, shard.begin, shard.global, description(logits));
}

}  // namespace

void cross_entropy_partial(const Stream& stream, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial) {
  constexpr const char* kKernel = "cross_entropy_partial";
  check_logits(kKernel, logits, shard, row_max);
  check_vector(kKernel, "labels", labels, logits.rows(), DType::kI32);
  check_matrix(kKernel, "partial", partial, logits.rows(), kCrossEntropyPartials);
  if (stream.device().is_cpu())
    cpu::kCrossEntropy.cross_entropy_partial(stream, cpu::In(stream, logits), labels, shard,
                                             row_max, partial);
  else
    cuda::kCrossEntropy.cross_entropy_partial(stream, logits, labels, shard, row_max, partial);
}

void cross_entropy_rebase(const Stream& stream, const Tensor& local_max, const Tensor& row_max,
                          const Tensor& partial) {
  constexpr const char* kKernel = "cross_entropy_rebase";
  check_vector(kKernel, "row_max", row_max, row_max.size());
  check_vector(kKernel, "local_max", local_max, row_max.size());
  check_matrix(kKernel, "partial", partial, row_max.size(), kCrossEntropyPartials);
  if (stream.device().is_cpu())
    cpu::kCrossEntropy.cross_entropy_rebase(stream, local_max, row_max, partial);
  else
    cuda::kCrossEntropy.cross_entropy_rebase(stream, local_max, row_max, partial);
}

void cross_entropy_finish(const Stream& stream, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss, const Tensor* row_correct) {
  constexpr const char* kKernel = "cross_entropy_finish";
  check_logits(kKernel, logits, shard, row_max);
  check_vector(kKernel, "labels", labels, logits.rows(), DType::kI32);
  check_matrix(kKernel, "partial", partial, logits.rows(), kCrossEntropyPartials);
  check_vector(kKernel, "row_loss", row_loss, logits.rows());
  if (row_correct != nullptr)
    check_vector(kKernel, "row_correct", *row_correct, logits.rows(), DType::kU8);
  if (stream.device().is_cpu())
    cpu::kCrossEntropy.cross_entropy_finish(stream, cpu::InOut(stream, logits), labels, shard,
                                            row_max, partial, label_smoothing, gradient, row_loss,
                                            row_correct);
  else
    cuda::kCrossEntropy.cross_entropy_finish(stream, logits, labels, shard, row_max, partial,
                                             label_smoothing, gradient, row_loss, row_correct);
}

}  // namespace lynceus::kernels
