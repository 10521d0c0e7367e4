// Cross-entropy over a vocabulary shard on CUDA devices: a block a row. Formulas in
// kernels/cross_entropy.h.
#include "kernels/cuda/cross_entropy.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;

struct Shard {
  int64_t begin, valid, cols;
};

/// The target's column in this shard, or -1.
LYNCEUS_DEVICE int64_t local_target(int32_t label, const Shard& shard) {
  const int64_t column = label - shard.begin;
  return label != kNotScored && column >= 0 && column < shard.valid ? column : -1;
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    row_max_kernel(const T* logits, Shard shard, float* row_max) {
  const T* const l = logits + blockIdx.x * shard.cols;
  float most = -INFINITY;
  for (int64_t c = threadIdx.x; c < shard.valid; c += kThreads) most = fmaxf(most, to_float(l[c]));
  most = block_max(most, simt::static_shared<BlockScratch>());
  if (threadIdx.x == 0) row_max[blockIdx.x] = most;
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    partial_kernel(const T* logits, const int32_t* labels, Shard shard, const float* row_max,
                   float* partial) {
  BlockScratch& scratch = simt::static_shared<BlockScratch>();
  const int64_t row = blockIdx.x;
  const T* const l = logits + row * shard.cols;
  const float largest = row_max[row];
  const int64_t before = labels[row] - shard.begin;
  float exp_sum = 0, sum = 0, equal = 0;
  for (int64_t c = threadIdx.x; c < shard.valid; c += kThreads) {
    const float value = to_float(l[c]);
    exp_sum += expf(value - largest);
    sum += value;
    equal += c < before && value == largest ? 1.0f : 0.0f;
  }
  exp_sum = block_sum(exp_sum, scratch);
  sum = block_sum(sum, scratch);
  equal = block_sum(equal, scratch);
  if (threadIdx.x != 0) return;
  const int64_t target = local_target(labels[row], shard);
  float* const sums = partial + row * kCrossEntropyPartials;
  sums[0] = exp_sum;
  sums[1] = target >= 0 ? to_float(l[target]) : 0.0f;
  sums[2] = sum;
  sums[3] = equal;
}

struct Finish {
  float smoothing;
  float vocabulary;
  bool gradient;
  float* row_loss;
  uint8_t* row_correct;
};

LYNCEUS_DEVICE void write_row_results(const Finish& finish, int64_t row, bool scored, float largest,
                                      const float* sums) {
  if (finish.row_loss != nullptr) {
    const float log_sum = largest + logf(sums[0]);
    const float hard = log_sum - sums[1];
    const float soft = log_sum - sums[2] / finish.vocabulary;
    const float loss =
        finish.smoothing == 0 ? hard : (1 - finish.smoothing) * hard + finish.smoothing * soft;
    finish.row_loss[row] = scored ? loss : 0.0f;
  }
  if (finish.row_correct != nullptr)
    finish.row_correct[row] = scored && sums[1] == largest && sums[3] == 0;
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    finish_kernel(T* logits, const int32_t* labels, Shard shard, const float* row_max,
                  const float* partial, Finish finish) {
  const int64_t row = blockIdx.x;
  const float largest = row_max[row];
  const float* const sums = partial + row * kCrossEntropyPartials;
  const bool scored = labels[row] != kNotScored;
  if (threadIdx.x == 0) write_row_results(finish, row, scored, largest, sums);
  if (!finish.gradient) return;
  T* const l = logits + row * shard.cols;
  const int64_t target = local_target(labels[row], shard);
  const float inverse = 1.0f / sums[0];
  const float uniform = finish.smoothing / finish.vocabulary;
  for (int64_t c = threadIdx.x; c < shard.cols; c += kThreads) {
    float value = 0;
    if (scored && c < shard.valid) {
      value = expf(to_float(l[c]) - largest) * inverse - uniform;
      if (c == target) value -= 1 - finish.smoothing;
    }
    l[c] = from_float<T>(value);
  }
}

unsigned rows_of(const Tensor& row_max) { return static_cast<unsigned>(row_max.size()); }

}  // namespace

void cross_entropy_row_max(const Stream& stream, const Tensor& logits, const VocabularyShard& shard,
                           const Tensor& row_max) {
  for_float_type(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(row_max_kernel<T>, rows_of(row_max), kThreads, 0, stream, pointer<T>(logits),
                 Shard{shard.begin, shard.valid, logits.cols()}, pointer<float>(row_max));
  });
}

void cross_entropy_partial(const Stream& stream, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial) {
  for_float_type(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(partial_kernel<T>, rows_of(row_max), kThreads, 0, stream, pointer<T>(logits),
                 pointer<int32_t>(labels), Shard{shard.begin, shard.valid, logits.cols()},
                 pointer<float>(row_max), pointer<float>(partial));
  });
}

void cross_entropy_finish(const Stream& stream, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss, const Tensor* row_correct) {
  const Finish finish{label_smoothing, static_cast<float>(shard.global), gradient,
                      pointer<float>(row_loss), pointer<uint8_t>(row_correct)};
  for_float_type(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(finish_kernel<T>, rows_of(row_max), kThreads, 0, stream, pointer<T>(logits),
                 pointer<int32_t>(labels), Shard{shard.begin, shard.valid, logits.cols()},
                 pointer<float>(row_max), pointer<float>(partial), finish);
  });
}

}  // namespace lynceus::kernels::cuda
