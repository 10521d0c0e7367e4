// Splits a product into one tile per thread and computes each by oneDNN's sgemm, or by blocked_gemm
// where that is faster.
#include "kernels/cpu/gemm.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <atomic>

#include "core/check.h"
#include "core/process/out_of_memory.h"
#include "kernels/cpu/blocked_gemm.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/onednn_memory.h"
#include "kernels/cpu/vector_math.h"

namespace lynceus::kernels::cpu {
namespace {

// Fewer multiplications than this take less time than starting the other threads.
constexpr int64_t kSerialWork = 1 << 18;

/// The number of tiles per dimension; the first thread computes the top left one.
struct Cut {
  int64_t rows = 1;
  int64_t cols = 1;
};

struct Range {
  int64_t begin = 0;
  int64_t end = 0;
};

constexpr int64_t kRowGrain = 8;   // tiles begin at multiples of these, which the library's
constexpr int64_t kColGrain = 16;  // register tiles divide

Range part(int64_t extent, int64_t parts, int64_t index, int64_t grain) {
  const int64_t units = (extent + grain - 1) / grain;
  return {std::min(extent, units * index / parts * grain),
          std::min(extent, units * (index + 1) / parts * grain)};
}

// A thread copies its rows of a and its columns of b into the library's order. Chooses the split
// with the smallest cost of a tile: its multiplications plus its copied elements.
Cut choose_cut(int64_t m, int64_t n, int64_t threads) {
  constexpr int64_t kCopyCost = 16;  // a copied element costs about this many multiplications
  Cut best;
  int64_t best_cost = 0;
  for (int64_t rows = 1; rows <= threads; ++rows) {
    if (threads % rows != 0) continue;
    const int64_t cols = threads / rows;
    const Range tile_rows = part(m, rows, rows - 1, kRowGrain);
    const Range tile_cols = part(n, cols, cols - 1, kColGrain);
    const int64_t tile_m = tile_rows.end - tile_rows.begin;
    const int64_t tile_n = tile_cols.end - tile_cols.begin;
    const int64_t cost = tile_m * tile_n + kCopyCost * (tile_m + tile_n);
    if (best_cost == 0 || cost <= best_cost) {
      best = {rows, cols};
      best_cost = cost;
    }
  }
  return best;
}

[[gnu::always_inline]] inline void bias_gelu_body(const float* bias, int64_t count, float* values) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) values[i] = vector_gelu(values[i] + bias[i]);
}

[[gnu::always_inline]] inline void gelu_body(int64_t count, float* values) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) values[i] = vector_gelu(values[i]);
}

LYNCEUS_AVX512 void finish_row_avx512(const GemmEpilogue& epilogue, int64_t col, int64_t count,
                                      float* values) {
  if (epilogue.bias != nullptr) bias_gelu_body(epilogue.bias + col, count, values);
  if (epilogue.bias == nullptr) gelu_body(count, values);
}

const float* at(const GemmOperand& operand, int64_t row, int64_t col) {
  return operand.data +
         (operand.transposed ? col * operand.stride + row : row * operand.stride + col);
}

struct Problem {
  int64_t m, n, k;
  GemmOperand a, b;
  bool accumulate;
  float* c;
  GemmEpilogue epilogue;
};

// Two kinds of product larger than second-level caches in which the library loses time. In a
// shallow one it splits the sum or the rows so that c is read and written several times (64 to 128
// rows of a weight gradient: 180 to 300 GFLOP/s on two cores, blocked 330 to 380). If the stride of
// b is a multiple of 4 KiB, it copies b for fewer than 128 rows of a (130 to 250, blocked 210 to
// 300).
bool prefers_blocks(const Problem& p) {
  constexpr int64_t kPageFloats = 1024;
  constexpr int64_t kLarge = int64_t{1} << 21;
  if (p.b.transposed) return false;
  if (p.a.transposed) return p.k <= kBlockDepth && p.m * p.n >= kLarge;
  return p.m > 32 && p.m < 128 && p.b.stride % kPageFloats == 0 && p.k * p.n >= kLarge;
}

// Returns the library's status. Inside a parallel region the library runs on the calling thread
// only.
dnnl_status_t compute(const Problem& p, const Range& rows, const Range& cols, float* workspace) {
  const int64_t count = cols.end - cols.begin;
  if (rows.end <= rows.begin || count <= 0) return dnnl_success;
  const GemmOperand a{at(p.a, rows.begin, 0), p.a.stride, p.a.transposed};
  const GemmOperand b{at(p.b, 0, cols.begin), p.b.stride, p.b.transposed};
  float* const c = p.c + rows.begin * p.n + cols.begin;
  dnnl_status_t status = dnnl_success;
  if (workspace != nullptr)
    blocked_gemm({rows.end - rows.begin, count, p.k, a, b, p.accumulate, c, p.n}, workspace);
  else
    status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', rows.end - rows.begin,
                        count, p.k, 1.0f, a.data, a.stride, b.data, b.stride,
                        p.accumulate ? 1.0f : 0.0f, c, p.n);
  if (p.epilogue.bias == nullptr && !p.epilogue.gelu) return status;
  for (int64_t row = rows.begin; row < rows.end; ++row)
    finish_row(p.epilogue, cols.begin, count, p.c + row * p.n + cols.begin);
  return status;
}

}  // namespace

void finish_row(const GemmEpilogue& epilogue, int64_t col, int64_t count, float* values) {
  if (epilogue.gelu && has_avx512()) return finish_row_avx512(epilogue, col, count, values);
  if (epilogue.gelu && epilogue.bias != nullptr)
    return bias_gelu_body(epilogue.bias + col, count, values);
  if (epilogue.gelu) return gelu_body(count, values);
  if (epilogue.bias == nullptr) return;
  for (int64_t i = 0; i < count; ++i) values[i] += epilogue.bias[col + i];
}

void gemm(const Stream& stream, int64_t m, int64_t n, int64_t k, const GemmOperand& a,
          const GemmOperand& b, bool accumulate, float* c, const GemmEpilogue& epilogue) {
  if (m == 0 || n == 0) return;
  const Problem problem{m, n, k, a, b, accumulate, c, epilogue};
  if (k == 0) {
    if (!accumulate) std::fill_n(c, m * n, 0.0f);
    for (int64_t row = 0; row < m && (epilogue.bias != nullptr || epilogue.gelu); ++row)
      finish_row(epilogue, 0, n, c + row * n);
    return;
  }
  const int64_t threads = m * n * k <= kSerialWork ? 1 : omp_get_max_threads();
  const Cut cut = choose_cut(m, n, threads);
  Tensor workspace;
  if (prefers_blocks(problem))
    workspace = Tensor::empty(stream, {threads, blocked_gemm_workspace()});
  expect_memory_for_product({a.transposed, b.transposed, accumulate}, m, n, k);
  std::atomic<dnnl_status_t> failed = dnnl_success;
#pragma omp parallel for schedule(static, 1) \
    num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t tile = 0; tile < threads; ++tile) {
    float* const own =
        workspace.defined() ? workspace.data<float>() + tile * blocked_gemm_workspace() : nullptr;
    const dnnl_status_t status = compute(problem, part(m, cut.rows, tile / cut.cols, kRowGrain),
                                         part(n, cut.cols, tile % cut.cols, kColGrain), own);
    if (status != dnnl_success) failed = status;
  }
  if (failed == dnnl_out_of_memory) throw Error(ExitCode::kIo, kOutOfMemory);
  LYNCEUS_CHECK(failed == dnnl_success, "dnnl_sgemm of {} x {} x {} returned status {}", m, n, k,
                static_cast<int>(failed.load()));
}

void transpose(int64_t rows, int64_t cols, const float* source, float* target, int64_t stride) {
  constexpr int64_t kBlock = 16;
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < (cols + kBlock - 1) / kBlock; ++block) {
    const int64_t begin = block * kBlock;
    const int64_t end = std::min(cols, begin + kBlock);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t col = begin; col < end; ++col)
        target[col * stride + row] = source[row * cols + col];
  }
}

}  // namespace lynceus::kernels::cpu
