// Token embedding of a vocabulary shard as a scalar loop over any number type: the oracle of
// kernels/embedding.h.
#pragma once

#include <cstdint>

namespace lynceus::kernels::reference {

/// y[r, :] = table[token_ids[r] − vocab_begin, :], zero for ids of other shards and negative ids.
template <typename T>
void embedding(int64_t rows, int64_t width, const int32_t* token_ids, const T* table,
               int64_t vocab_begin, int64_t vocab_local, T* y) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < width; ++i) {
      const int64_t local = token_ids[r] - vocab_begin;
      const bool here = token_ids[r] >= 0 && local >= 0 && local < vocab_local;
      y[r * width + i] = here ? table[local * width + i] : T(0);
    }
}

}  // namespace lynceus::kernels::reference
