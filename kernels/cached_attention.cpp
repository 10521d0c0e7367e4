#include "kernels/cached_attention.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/cached_attention.h"

namespace lynceus::kernels {
namespace {

constexpr const char* kKernel = "cached_attention_forward";

void check_sequences(const CumulativeLengths& q_begin, const CachedKeys& keys) {
  if (q_begin.host.empty() || q_begin.host.size() != keys.begin.host.size())
    throw InternalError("{}: {} sequence boundaries of queries, {} of keys", kKernel,
                        q_begin.host.size(), keys.begin.host.size());
  for (size_t s = 0; s + 1 < q_begin.host.size(); ++s) {
    const int32_t queries = q_begin.host[s + 1] - q_begin.host[s];
    const int32_t known = keys.begin.host[s + 1] - keys.begin.host[s];
    if (queries > known)
      throw InternalError("{}: sequence {} has {} queries and {} keys", kKernel, s, queries, known);
  }
}

void check_rows(const CachedKeys& keys, int64_t capacity) {
  for (const int32_t row : keys.rows.span<int32_t>())
    if (row < 0 || row >= capacity)
      throw InternalError("{}: key row {}, expected 0 to {}", kKernel, row, capacity - 1);
}

}  // namespace

void cached_attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                              const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                              const CachedKeys& keys, const Tensor& out) {
  if (shape.heads < 1 || shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0 ||
      shape.head_dim < 1)
    throw InternalError("{}: {} query heads over {} key heads of {}", kKernel, shape.heads,
                        shape.kv_heads, shape.head_dim);
  if (!(shape.scale > 0)) throw InternalError("{}: scale {}", kKernel, shape.scale);
  check_sequences(q_begin, keys);
  const int64_t q_width = shape.heads * shape.head_dim;
  const int64_t k_width = shape.kv_heads * shape.head_dim;
  check_activation(kKernel, "q", q, q_begin.tokens(), q_width, q.dtype());
  check_activation(kKernel, "k", k, k.rows(), k_width, k.dtype());
  check_activation(kKernel, "v", v, k.rows(), k_width, k.dtype());
  check_vector(kKernel, "keys.rows", keys.rows, keys.begin.tokens(), DType::kI32);
  check_activation(kKernel, "out", out, q_begin.tokens(), q_width, q.dtype());
  if (!stream.device().is_cpu())
    return cuda::kCachedAttention.cached_attention_forward(stream, shape, q, k, v, q_begin, keys,
                                                           out);
  check_rows(keys, k.rows());
  cpu::kCachedAttention.cached_attention_forward(stream, shape, cpu::In(stream, q), k, v, q_begin,
                                                 keys, cpu::Out(stream, out));
}

}  // namespace lynceus::kernels
