// Loops over OpenMP threads and sums for the CPU kernels.
//
// Blocks have fixed sizes and partial sums are combined in block order, so no result depends on the
// number of threads. Sums run in f32 over at most a few hundred elements and in f64 above that.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

/// With fewer elements, starting the other threads costs more than it saves.
constexpr int64_t kParallelElements = 16384;

/// body(row) for every row; `width`: the cost of a row in elements.
template <typename Body>
void for_each_row(int64_t rows, int64_t width, Body body) {
#pragma omp parallel for schedule(static) if (rows > 1 && rows * width >= kParallelElements)
  for (int64_t row = 0; row < rows; ++row) body(row);
}

/// body(begin, end) for consecutive blocks of n elements, each costing `cost` element operations.
template <int64_t kBlock = 8192, typename Body>
void for_each_block(int64_t n, Body body, int64_t cost = 1) {
  const int64_t blocks = (n + kBlock - 1) / kBlock;
#pragma omp parallel for schedule(static) if (blocks > 1 && n * cost >= kParallelElements)
  for (int64_t block = 0; block < blocks; ++block)
    body(block * kBlock, std::min(n, (block + 1) * kBlock));
}

/// Σ term(i), i in [0, n): blocks of 512 in T, which the compiler vectorizes, their sums in f64.
/// Four independent sums hide the latency of the additions.
template <typename T = float, typename Term>
double sum_of(int64_t n, Term term) {
  constexpr int64_t kPart = 128;
  double total = 0;
  int64_t begin = 0;
  for (; begin + 4 * kPart <= n; begin += 4 * kPart) {
    T a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
    for (int64_t i = begin; i < begin + kPart; ++i) {
      a += term(i);
      b += term(i + kPart);
      c += term(i + 2 * kPart);
      d += term(i + 3 * kPart);
    }
    total += static_cast<double>((a + b) + (c + d));
  }
  T rest = 0;
#pragma omp simd reduction(+ : rest)
  for (int64_t i = begin; i < n; ++i) rest += term(i);
  return total + static_cast<double>(rest);
}

/// Sums over rows of a [rows, width] matrix into up to kSums vectors of `width` elements (`+=`;
/// null: not wanted). body(begin, end, partial) adds rows [begin, end) to partial[s], which starts
/// at zero and is null where sums[s] is null; it may also compute other results of these rows.
template <size_t kSums, typename Body>
void sum_rows(const Stream& stream, int64_t rows, int64_t width,
              const std::array<float*, kSums>& sums, Body body) {
  constexpr int64_t kChunk = 32;
  const int64_t chunks = (rows + kChunk - 1) / kChunk;
  std::array<Tensor, kSums> partials;
  std::array<float*, kSums> bases{};
  for (size_t s = 0; s < kSums; ++s) {
    if (sums[s] == nullptr) continue;
    partials[s] = Tensor::empty(stream, {chunks, width});
    bases[s] = partials[s].template data<float>();
  }
#pragma omp parallel for schedule(static) if (rows * width >= kParallelElements)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    std::array<float*, kSums> partial{};
    for (size_t s = 0; s < kSums; ++s) {
      if (bases[s] == nullptr) continue;
      partial[s] = bases[s] + chunk * width;
      std::fill_n(partial[s], width, 0.0f);
    }
    body(chunk * kChunk, std::min(rows, (chunk + 1) * kChunk), partial);
  }
  constexpr int64_t kColumns = 64;
  for (size_t s = 0; s < kSums; ++s) {
    if (bases[s] == nullptr) continue;
    const auto combine = [&, base = bases[s], sum = sums[s]](int64_t begin, int64_t end) {
      std::array<double, kColumns> total{};
      for (int64_t chunk = 0; chunk < chunks; ++chunk)
        for (int64_t c = begin; c < end; ++c)
          total[static_cast<size_t>(c - begin)] += static_cast<double>(base[chunk * width + c]);
      for (int64_t c = begin; c < end; ++c)
        sum[c] += static_cast<float>(total[static_cast<size_t>(c - begin)]);
    };
    for_each_block<kColumns>(width, combine, chunks);
  }
}

}  // namespace lynceus::kernels::cpu
