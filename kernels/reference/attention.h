// Softmax attention over packed sequences as scalar loops over any number type: the oracle of
// kernels/attention.h, and with std::complex<double> of its gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace lynceus::kernels::reference {

/// out, lse as attention_forward computes them; lse null: not wanted.
template <typename T>
void attention(const AttentionShape& shape, const std::vector<int32_t>& q_begin,
               const std::vector<int32_t>& k_begin, const T* q, const T* k, const T* v, T* out,
               T* lse) {
  using std::exp;
  using std::log;
  const int64_t dim = shape.head_dim;
  const int64_t q_width = shape.heads * dim;
  const int64_t k_width = shape.kv_heads * dim;
  const auto score = [&](int64_t query, int64_t key, int64_t head, int64_t key_head) {
    T sum = 0;
    for (int64_t i = 0; i < dim; ++i)
      sum += q[query * q_width + head * dim + i] * k[key * k_width + key_head * dim + i];
    return sum * static_cast<double>(shape.scale);
  };
  for (size_t s = 0; s + 1 < q_begin.size(); ++s)
    for (int64_t head = 0; head < shape.heads; ++head)
      for (int64_t query = q_begin[s]; query < q_begin[s + 1]; ++query) {
        const int64_t key_head = head / (shape.heads / shape.kv_heads);
        const int64_t k_end = shape.causal ? k_begin[s] + (query - q_begin[s]) + 1 : k_begin[s + 1];
        double max = -1e300;
        for (int64_t key = k_begin[s]; key < k_end; ++key)
          max = std::max(max, std::real(score(query, key, head, key_head)));
        T* const row = out + query * q_width + head * dim;
        std::fill_n(row, dim, T(0));
        T total = 0;
        for (int64_t key = k_begin[s]; key < k_end; ++key) {
          const T weight = exp(score(query, key, head, key_head) - max);
          total += weight;
          for (int64_t i = 0; i < dim; ++i)
            row[i] += weight * v[key * k_width + key_head * dim + i];
        }
        if (k_end > k_begin[s])
          for (int64_t i = 0; i < dim; ++i) row[i] /= total;
        if (lse != nullptr) lse[head * q_begin.back() + query] = log(total) + max;
      }
}

}  // namespace lynceus::kernels::reference
