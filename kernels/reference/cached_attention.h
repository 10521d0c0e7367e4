// Attention over cached keys as scalar loops over any number type: the oracle of
// kernels/cached_attention.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace lynceus::kernels::reference {

/// q, out [tokens, heads · head_dim]; k, v [capacity, kv_heads · head_dim]; `rows` lists the keys
/// of all sequences.
template <typename T>
void cached_attention(const AttentionShape& shape, const std::vector<int32_t>& q_begin,
                      const std::vector<int32_t>& k_begin, const std::vector<int32_t>& rows,
                      const T* q, const T* k, const T* v, T* out) {
  using std::exp;
  const int64_t dim = shape.head_dim;
  const int64_t q_width = shape.heads * dim, k_width = shape.kv_heads * dim;
  for (size_t s = 0; s + 1 < q_begin.size(); ++s)
    for (int64_t query = q_begin[s]; query < q_begin[s + 1]; ++query)
      for (int64_t head = 0; head < shape.heads; ++head) {
        const int64_t key_head = head / (shape.heads / shape.kv_heads);
        const int64_t end = k_begin[s + 1] - (q_begin[s + 1] - 1 - query);
        std::vector<T> scores;
        for (int64_t key = k_begin[s]; key < end; ++key) {
          T sum = 0;
          for (int64_t i = 0; i < dim; ++i)
            sum +=
                q[query * q_width + head * dim + i] * k[rows[key] * k_width + key_head * dim + i];
          scores.push_back(sum * static_cast<double>(shape.scale));
        }
        const T max = *std::max_element(scores.begin(), scores.end());
        T* const row = out + query * q_width + head * dim;
        std::fill_n(row, dim, T(0));
        T total = 0;
        for (int64_t key = k_begin[s]; key < end; ++key) {
          const T weight = exp(scores[key - k_begin[s]] - max);
          total += weight;
          for (int64_t i = 0; i < dim; ++i)
            row[i] += weight * v[rows[key] * k_width + key_head * dim + i];
        }
        for (int64_t i = 0; i < dim; ++i) row[i] /= total;
      }
}

}  // namespace lynceus::kernels::reference
