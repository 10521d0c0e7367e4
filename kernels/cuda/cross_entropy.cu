// One block per row.
#include "kernels/device/cross_entropy.h"

#include <cfloat>
#include <type_traits>

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 512;

struct ShardColumns {
  int64_t begin, valid, cols;
};

/// The target's column in this shard, or -1.
LYNCEUS_DEVICE int64_t local_target(int32_t label, const ShardColumns& shard) {
  const int64_t column = label - shard.begin;
  return label != kNotScored && column >= 0 && column < shard.valid ? column : -1;
}

/// A thread's partial result of a row; sums are relative to the largest logit so far.
struct Seen {
  float largest = -FLT_MAX;  // not −inf: −inf − (−inf) is NaN
  float exp_sum = 0;
  float sum = 0;
  float equal = 0;  // the number before the target that equal the largest
};

template <int kPack, typename T>
LYNCEUS_DEVICE void see(const T* logits, int64_t column, int64_t before, Seen& seen) {
  float values[kPack];
  read_pack(logits + column, values);
  float most = seen.largest;
#pragma unroll
  for (int i = 0; i < kPack; ++i) most = fmaxf(most, values[i]);
  if (most > seen.largest) {
    seen.exp_sum *= expf(seen.largest - most);
    seen.equal = 0;
    seen.largest = most;
  }
#pragma unroll
  for (int i = 0; i < kPack; ++i) {
    seen.exp_sum += expf(values[i] - most);
    seen.sum += values[i];
    seen.equal += column + i < before && values[i] == most ? 1.0f : 0.0f;
  }
}

template <int kPack, typename T>
__global__ void __launch_bounds__(kThreads)
    partial_kernel(const T* logits, const int32_t* labels, ShardColumns shard, float* row_max,
                   float* partial) {
  BlockScratch& scratch = simt::static_shared<BlockScratch>();
  const int64_t row = blockIdx.x;
  const T* const l = logits + row * shard.cols;
  const int64_t before = labels[row] - shard.begin;
  const int64_t packed = shard.valid / kPack * kPack;
  Seen seen;
#pragma unroll 2
  for (int64_t c = int64_t{threadIdx.x} * kPack; c < packed; c += kThreads * kPack)
    see<kPack>(l, c, before, seen);
  if (packed + threadIdx.x < shard.valid) see<1>(l, packed + threadIdx.x, before, seen);

  const float largest = block_max(seen.largest, scratch);
  const bool has_it = seen.largest == largest;
  const float exp_sum =
      block_sum(has_it ? seen.exp_sum : seen.exp_sum * expf(seen.largest - largest), scratch);
  const float sum = block_sum(seen.sum, scratch);
  const float equal = block_sum(has_it ? seen.equal : 0.0f, scratch);
  if (threadIdx.x != 0) return;
  const int64_t target = local_target(labels[row], shard);
  row_max[row] = shard.valid > 0 ? largest : -INFINITY;
  float* const sums = partial + row * kCrossEntropyPartials;
  sums[0] = exp_sum;
  sums[1] = target >= 0 ? to_float(l[target]) : 0.0f;
  sums[2] = sum;
  sums[3] = equal;
}

struct Finish {
  float smoothing;
  double vocabulary;
  bool gradient;
  float* row_loss;
  uint8_t* row_correct;
};

LYNCEUS_DEVICE void write_row_results(const Finish& finish, int64_t row, bool scored, float largest,
                                      const float* sums) {
  if (finish.row_loss != nullptr) {
    // One thread per row, so f64 is cheap; an f32 sum would lose digits of the loss.
    const double log_sum = static_cast<double>(largest) + log(static_cast<double>(sums[0]));
    double loss = log_sum - static_cast<double>(sums[1]);
    if (finish.smoothing != 0) {
      const double e = static_cast<double>(finish.smoothing);
      loss = (1 - e) * loss + e * (log_sum - static_cast<double>(sums[2]) / finish.vocabulary);
    }
    finish.row_loss[row] = scored ? static_cast<float>(loss) : 0.0f;
  }
  if (finish.row_correct != nullptr)
    finish.row_correct[row] = scored && sums[1] == largest && sums[3] == 0;
}

template <int kPack, typename T>
__global__ void __launch_bounds__(kThreads)
    finish_kernel(T* logits, const int32_t* labels, ShardColumns shard, const float* row_max,
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
  const float uniform = static_cast<float>(finish.smoothing / finish.vocabulary);
#pragma unroll 2
  for (int64_t c = int64_t{threadIdx.x} * kPack; c < shard.cols; c += kThreads * kPack) {
    float values[kPack];
    read_pack(l + c, values);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      const bool real = scored && c + i < shard.valid;
      values[i] = real ? expf(values[i] - largest) * inverse - uniform : 0.0f;
      if (real && c + i == target) values[i] -= 1 - finish.smoothing;
    }
    write_pack(l + c, values);
  }
}

/// converts partial from local_max to row_max
__global__ void __launch_bounds__(kThreads)
    rebase_kernel(const float* local_max, const float* row_max, int64_t rows, float* partial) {
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row >= rows || local_max[row] == row_max[row]) return;
  partial[row * kCrossEntropyPartials] *= expf(local_max[row] - row_max[row]);
  partial[row * kCrossEntropyPartials + 3] = 0;
}

/// body(T{}, pack) with the widest pack that the rows allow.
template <typename Body>
void with_packs(const Tensor& logits, Body body) {
  for_float_type(logits.dtype(), [&](auto type) {
    constexpr int kPack = kPackOf<decltype(type)>;
    if (fits_packs(logits, logits.cols(), kPack))
      body(type, std::integral_constant<int, kPack>());
    else
      body(type, std::integral_constant<int, 1>());
  });
}

unsigned rows_of(const Tensor& row_max) { return static_cast<unsigned>(row_max.size()); }

void cross_entropy_partial(const Stream& stream, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial) {
  with_packs(logits, [&](auto type, auto pack) {
    using T = decltype(type);
    simt::launch(partial_kernel<decltype(pack)::value, T>, rows_of(row_max), kThreads, 0, stream,
                 pointer<T>(logits), pointer<int32_t>(labels),
                 ShardColumns{shard.begin, shard.valid, logits.cols()}, pointer<float>(row_max),
                 pointer<float>(partial));
  });
}

void cross_entropy_rebase(const Stream& stream, const Tensor& local_max, const Tensor& row_max,
                          const Tensor& partial) {
  simt::launch(rebase_kernel, blocks_for(row_max.size(), kThreads), kThreads, 0, stream,
               pointer<float>(local_max), pointer<float>(row_max), row_max.size(),
               pointer<float>(partial));
}

void cross_entropy_finish(const Stream& stream, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss, const Tensor* row_correct) {
  const Finish finish{label_smoothing, static_cast<double>(shard.global), gradient,
                      pointer<float>(row_loss), pointer<uint8_t>(row_correct)};
  with_packs(logits, [&](auto type, auto pack) {
    using T = decltype(type);
    simt::launch(finish_kernel<decltype(pack)::value, T>, rows_of(row_max), kThreads, 0, stream,
                 pointer<T>(logits), pointer<int32_t>(labels),
                 ShardColumns{shard.begin, shard.valid, logits.cols()}, pointer<float>(row_max),
                 pointer<float>(partial), finish);
  });
}

}  // namespace

const CrossEntropyKernels kCrossEntropy = {.cross_entropy_partial = cross_entropy_partial,
                                           .cross_entropy_rebase = cross_entropy_rebase,
                                           .cross_entropy_finish = cross_entropy_finish};

}  // namespace lynceus::kernels::cuda
