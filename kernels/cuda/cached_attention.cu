// One query row and head a block. Each warp takes every kWarps-th key, its lanes the columns, and
// keeps the online softmax (Milakov, Gimelshein 2018) of its keys; then the warps' results are
// joined in order. A block computes up to kColumns columns of the result; larger heads are split
// over blocks, each of which computes the scores itself. Any head_dim, any number of keys.
#include "kernels/device/cached_attention.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * simt::kWarp;
constexpr int kEach = 4;  // columns of a lane
constexpr int kColumns = kEach * simt::kWarp;
constexpr float kInfinity = INFINITY;

template <typename T, typename C>
struct CachedAttention {
  const T* q;
  const C* k;
  const C* v;
  const int32_t* q_begin;  // [sequences + 1]
  const int32_t* k_begin;  // [sequences + 1]
  const int32_t* rows;     // [keys]
  int sequences;
  int heads, kv_heads, head_dim;
  float scale;
  T* out;
};

/// What a warp knows of its keys.
struct Shared {
  float maximum[kWarps], sum[kWarps];
  float result[kWarps][kColumns];
};

/// The sequence of a query row: the last that begins at or before it and is not empty.
LYNCEUS_DEVICE int sequence_of(const int32_t* q_begin, int sequences, int row) {
  int low = 0, high = sequences;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (q_begin[middle] <= row)
      low = middle;
    else
      high = middle;
  }
  return low;
}

template <typename T, typename C>
__global__ void __launch_bounds__(kThreads) attend(CachedAttention<T, C> call) {
  auto& shared = simt::static_shared<Shared>();
  const int row = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y);
  const int first_column = static_cast<int>(blockIdx.z) * kColumns;
  const int warp = static_cast<int>(threadIdx.x) / simt::kWarp, lane = simt::lane();
  const int sequence = sequence_of(call.q_begin, call.sequences, row);
  const int begin = call.k_begin[sequence];
  const int keys = call.k_begin[sequence + 1] - begin - (call.q_begin[sequence + 1] - 1 - row);
  const int64_t width = int64_t{call.kv_heads} * call.head_dim;
  const int64_t key_column = int64_t{head / (call.heads / call.kv_heads)} * call.head_dim;
  const int64_t query = (int64_t{row} * call.heads + head) * call.head_dim;

  float maximum = -kInfinity, sum = 0, result[kEach] = {};
  for (int key = warp; key < keys; key += kWarps) {
    const int64_t at = call.rows[begin + key] * width + key_column;
    float product = 0;
    for (int i = lane; i < call.head_dim; i += simt::kWarp)
      product += to_float(call.q[query + i]) * to_float(call.k[at + i]);
    const float score = warp_sum(product) * call.scale;
    const float largest = fmaxf(maximum, score);
    const float correction = expf(maximum - largest), weight = expf(score - largest);
    maximum = largest;
    sum = sum * correction + weight;
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      const int column = first_column + e * simt::kWarp + lane;
      const float value = column < call.head_dim ? to_float(call.v[at + column]) : 0.0f;
      result[e] = result[e] * correction + weight * value;
    }
  }
  if (lane == 0) {
    shared.maximum[warp] = maximum;
    shared.sum[warp] = sum;
  }
#pragma unroll
  for (int e = 0; e < kEach; ++e) shared.result[warp][e * simt::kWarp + lane] = result[e];
  simt::sync_block();

  // The first key is the first warp's, so its maximum is finite.
  float largest = shared.maximum[0];
  for (int w = 1; w < kWarps; ++w) largest = fmaxf(largest, shared.maximum[w]);
  float total = 0;
  for (int w = 0; w < kWarps; ++w) total += shared.sum[w] * expf(shared.maximum[w] - largest);
  const int mine = static_cast<int>(threadIdx.x);
  if (mine >= kColumns || first_column + mine >= call.head_dim) return;
  float value = 0;
  for (int w = 0; w < kWarps; ++w)
    value += shared.result[w][mine] * expf(shared.maximum[w] - largest);
  call.out[query + first_column + mine] = from_float<T>(value / total);
}

void cached_attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                              const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                              const CachedKeys& keys, const Tensor& out) {
  const dim3 grid(static_cast<unsigned>(q_begin.tokens()), static_cast<unsigned>(shape.heads),
                  blocks_for(shape.head_dim, kColumns));
  for_float_type(q.dtype(), [&](auto type) {
    using T = decltype(type);
    for_float_type(k.dtype(), [&](auto cached) {
      using C = decltype(cached);
      const CachedAttention<T, C> call{pointer<T>(q),
                                       pointer<C>(k),
                                       pointer<C>(v),
                                       pointer<int32_t>(q_begin.device),
                                       pointer<int32_t>(keys.begin.device),
                                       pointer<int32_t>(keys.rows),
                                       static_cast<int>(q_begin.sequences()),
                                       static_cast<int>(shape.heads),
                                       static_cast<int>(shape.kv_heads),
                                       static_cast<int>(shape.head_dim),
                                       shape.scale,
                                       pointer<T>(out)};
      simt::launch(attend<T, C>, grid, kThreads, 0, stream, call);
    });
  });
}

}  // namespace

const CachedAttentionKernels kCachedAttention = {.cached_attention_forward =
                                                     cached_attention_forward};

}  // namespace lynceus::kernels::cuda
