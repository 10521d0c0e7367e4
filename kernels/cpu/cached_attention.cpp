// A work item is one query row with one key head and all query heads that read it: each key and
// value is read once for them. Rows of the cache are used where they lie; those in bf16 are widened
// one at a time.
#include "kernels/device/cached_attention.h"

#include <omp.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/small_gemm.h"
#include "kernels/cpu/softmax_rows.h"

namespace lynceus::kernels::cpu {
namespace {

inline float widened(float value) { return value; }
inline float widened(BFloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}

/// One query row: its keys, and its heads that read one key head.
template <typename T>
struct Item {
  const float* q;  // [group, dim]
  const T* k;      // the key head's columns of the cache's first row
  const T* v;
  const int32_t* rows;  // [keys]
  int64_t keys, width;  // width: of a row of the cache
  int64_t group, dim;
  float scale;
  float* out;  // [group, dim]
};

/// scores [group, stride] = scale · q·kᵀ
template <typename T>
[[gnu::always_inline]] inline void score_body(const Item<T>& item, int64_t stride, float* scores) {
  for (int64_t key = 0; key < item.keys; ++key) {
    const T* const row = item.k + item.rows[key] * item.width;
    for (int64_t head = 0; head < item.group; ++head) {
      const float* const q = item.q + head * item.dim;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < item.dim; ++i) sum += q[i] * widened(row[i]);
      scores[head * stride + key] = item.scale * sum;
    }
  }
}

/// out = weights · v, each row divided by its sum of weights.
template <typename T>
[[gnu::always_inline]] inline void weigh_body(const Item<T>& item, int64_t stride,
                                              const float* weights, const float* inverse_sum) {
  std::fill_n(item.out, item.group * item.dim, 0.0f);
  for (int64_t key = 0; key < item.keys; ++key) {
    const T* const row = item.v + item.rows[key] * item.width;
    for (int64_t head = 0; head < item.group; ++head) {
      float* const out = item.out + head * item.dim;
      const float weight = weights[head * stride + key];
#pragma omp simd
      for (int64_t i = 0; i < item.dim; ++i) out[i] += weight * widened(row[i]);
    }
  }
  for (int64_t head = 0; head < item.group; ++head)
    for (int64_t i = 0; i < item.dim; ++i) item.out[head * item.dim + i] *= inverse_sum[head];
}

template <typename T>
LYNCEUS_AVX512 void score_avx512(const Item<T>& item, int64_t stride, float* scores) {
  score_body(item, stride, scores);
}
template <typename T>
LYNCEUS_AVX512 void weigh_avx512(const Item<T>& item, int64_t stride, const float* weights,
                                 const float* inverse_sum) {
  weigh_body(item, stride, weights, inverse_sum);
}

/// `memory`: group · (round_to_lane(keys) + 1) floats.
template <typename T>
void attend(const Item<T>& item, float* memory) {
  const int64_t stride = round_to_lane(item.keys);
  float* const inverse_sum = memory + item.group * stride;
  if (has_avx512())
    score_avx512(item, stride, memory);
  else
    score_body(item, stride, memory);
  softmax_rows({item.group, item.keys, stride, 0, false}, memory, inverse_sum, nullptr);
  if (has_avx512())
    weigh_avx512(item, stride, memory, inverse_sum);
  else
    weigh_body(item, stride, memory, inverse_sum);
}

/// The first key and the number of keys of each query row.
struct Seen {
  int64_t begin, count;
};

std::vector<Seen> keys_seen(const std::vector<int32_t>& q_begin,
                            const std::vector<int32_t>& k_begin) {
  std::vector<Seen> seen;
  for (size_t s = 0; s + 1 < q_begin.size(); ++s)
    for (int32_t row = q_begin[s]; row < q_begin[s + 1]; ++row)
      seen.push_back({k_begin[s], k_begin[s + 1] - k_begin[s] - (q_begin[s + 1] - 1 - row)});
  return seen;
}

template <typename T>
void attend_all(const Stream& stream, const AttentionShape& shape, const Tensor& q, const Tensor& k,
                const Tensor& v, const std::vector<Seen>& seen, const int32_t* rows,
                const Tensor& out) {
  const int64_t group = shape.heads / shape.kv_heads, dim = shape.head_dim;
  const int64_t items = static_cast<int64_t>(seen.size()) * shape.kv_heads;
  int64_t most = 0, total = 0;
  for (const Seen& row : seen) {
    most = std::max(most, row.count);
    total += row.count;
  }
  const bool parallel = items > 1 && total * shape.heads * dim >= kParallelElements;
  const int64_t threads = parallel ? std::min<int64_t>(omp_get_max_threads(), items) : 1;
  const int64_t size = round_to_lane(group * (round_to_lane(most) + 1));
  const Tensor memory = Tensor::empty(stream, {threads, size});
  float* const base = memory.data<float>();
#pragma omp parallel for schedule(dynamic, 1) \
    num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t index = 0; index < items; ++index) {
    const int64_t row = index / shape.kv_heads, head = index % shape.kv_heads;
    const Seen& keys = seen[static_cast<size_t>(row)];
    const int64_t at = (row * shape.heads + head * group) * dim;
    attend(Item<T>{q.data<float>() + at, k.data<T>() + head * dim, v.data<T>() + head * dim,
                   rows + keys.begin, keys.count, shape.kv_heads * dim, group, dim, shape.scale,
                   out.data<float>() + at},
           base + omp_get_thread_num() * size);
  }
}

void cached_attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                              const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                              const CachedKeys& keys, const Tensor& out) {
  const std::vector<Seen> seen = keys_seen(q_begin.host, keys.begin.host);
  if (seen.empty()) return;
  const int32_t* const rows = keys.rows.data<int32_t>();
  if (k.dtype() == DType::kBf16)
    attend_all<BFloat16>(stream, shape, q, k, v, seen, rows, out);
  else
    attend_all<float>(stream, shape, q, k, v, seen, rows, out);
}

}  // namespace

const CachedAttentionKernels kCachedAttention = {.cached_attention_forward =
                                                     cached_attention_forward};

}  // namespace lynceus::kernels::cpu
