// Sums over rows, column by column, in a fixed order: chunks of rows first, then the chunks. The
// result does not depend on the order in which blocks run.
#pragma once

#include <algorithm>

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {

constexpr int kColumnThreads = 128;

/// partial[chunk, s, column] = Σ over the chunk's rows of term(row, column)[s].
template <int kSums, typename Term>
__global__ void __launch_bounds__(kColumnThreads)
    sum_chunk(Term term, int64_t rows, int64_t width, int64_t rows_per_chunk, float* partial) {
  const int64_t column = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x;
  if (column >= width) return;
  const int64_t begin = blockIdx.y * rows_per_chunk;
  const int64_t end = begin + rows_per_chunk < rows ? begin + rows_per_chunk : rows;
  float sums[kSums] = {};
  for (int64_t row = begin; row < end; ++row) {
    float terms[kSums];
    term(row, column, terms);
#pragma unroll
    for (int s = 0; s < kSums; ++s) sums[s] += terms[s];
  }
#pragma unroll
  for (int s = 0; s < kSums; ++s) partial[(blockIdx.y * kSums + s) * width + column] = sums[s];
}

template <int kSums>
struct ColumnSums {
  float* at[kSums];  // null: not wanted
};

template <int kSums>
__global__ void __launch_bounds__(kColumnThreads)
    add_chunks(const float* partial, int chunks, int64_t width, ColumnSums<kSums> sums) {
  const int64_t column = int64_t{blockIdx.x} * kColumnThreads + threadIdx.x;
  if (column >= width) return;
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    if (sums.at[s] == nullptr) continue;
    float sum = 0;
    for (int chunk = 0; chunk < chunks; ++chunk)
      sum += partial[(int64_t{chunk} * kSums + s) * width + column];
    sums.at[s][column] += sum;
  }
}

/// sums[s][column] += Σ over rows of term(row, column)[s].
/// Term: device code, void operator()(int64_t row, int64_t column, float (&terms)[kSums]) const.
template <int kSums, typename Term>
void column_reduce(const Stream& stream, int64_t rows, int64_t width, ColumnSums<kSums> sums,
                   Term term) {
  if (rows == 0 || width == 0) return;
  // Enough blocks for all multiprocessors; chunks long enough to justify the second pass.
  constexpr int64_t kLeastRows = 16, kMostChunks = 128;
  const int64_t chunks = std::clamp<int64_t>(rows / kLeastRows, 1, kMostChunks);
  const int64_t rows_per_chunk = (rows + chunks - 1) / chunks;
  const Tensor partial = Tensor::empty(stream, {chunks, kSums, width});
  const unsigned columns = blocks_for(width, kColumnThreads);
  simt::launch(sum_chunk<kSums, Term>, dim3(columns, static_cast<unsigned>(chunks)), kColumnThreads,
               0, stream, term, rows, width, rows_per_chunk, pointer<float>(partial));
  simt::launch(add_chunks<kSums>, columns, kColumnThreads, 0, stream, pointer<float>(partial),
               static_cast<int>(chunks), width, sums);
}

}  // namespace lynceus::kernels::cuda
