// A thread computes a panel of columns for up to kBlockRows rows at a time, by small_gemm, which
// sums over k in order. The rows are packed first, a register tile after the other.
#include "kernels/cpu/row_gemm.h"

#include <omp.h>

#include <algorithm>
#include <bit>

#include "core/check.h"
#include "kernels/cpu/small_gemm.h"

namespace lynceus::kernels::cpu {
namespace {

constexpr int64_t kDepth = 128;           // of a block: 16 KiB of a panel, in a first-level cache
constexpr int64_t kBlockRows = 96;        // rows that read a block of a panel from there
constexpr int64_t kMostLevels = 16;       // of the tree of parts
constexpr int64_t kSerialWork = 1 << 18;  // fewer multiplications: starting threads takes longer

struct Problem {
  int64_t m, n, k, parts;
  const float* tiles;  // [m / kTileRows, k, kTileRows]
  const Tensor& panels;
  float* c;
  const GemmEpilogue& epilogue;
};

/// Memory of a thread: sums of a block of rows by level of the tree, and a widened block of bf16.
struct Workspace {
  static constexpr int64_t kSums = kBlockRows * kPanel;

  static int64_t size(int64_t parts) {
    return (std::bit_width(static_cast<uint64_t>(parts)) + 1) * kSums + kDepth * kPanel;
  }
  float* sums(int64_t level) const { return memory + kDepth * kPanel + level * kSums; }
  float* memory;
};

/// target [tiles, k, kTileRows] = the rows of a [m, k], a register tile after the other.
void pack_rows(int64_t m, int64_t k, const float* a, float* target) {
  const int64_t tiles = (m + kTileRows - 1) / kTileRows;
#pragma omp parallel for schedule(static) if (m * k >= kSerialWork)
  for (int64_t tile = 0; tile < tiles; ++tile) {
    float* const to = target + tile * k * kTileRows;
    for (int64_t row = tile * kTileRows; row < std::min(m, (tile + 1) * kTileRows); ++row)
      for (int64_t i = 0; i < k; ++i) to[i * kTileRows + row % kTileRows] = a[row * k + i];
  }
}

const float* f32_block(const Tensor& panels, int64_t at, int64_t rows, const Workspace& own) {
  if (panels.dtype() == DType::kF32) return panels.data<float>() + at;
  const BFloat16* const source = panels.data<BFloat16>() + at;
#pragma omp simd
  for (int64_t i = 0; i < rows * kPanel; ++i)
    own.memory[i] = std::bit_cast<float>(static_cast<uint32_t>(source[i].bits) << 16);
  return own.memory;
}

/// sums [rows, kPanel] = the products of one part of k.
void compute_part(const Problem& p, int64_t panel, int64_t first_row, int64_t rows, int64_t begin,
                  int64_t end, const Workspace& own, float* sums) {
  SmallGemm product;
  product.n = kPanel;
  product.a_row = 1;
  product.a_col = kTileRows;
  product.b_row = kPanel;
  product.c_row = kPanel;
  if (begin == end) std::fill_n(sums, rows * kPanel, 0.0f);
  for (int64_t depth = begin; depth < end; depth += kDepth) {
    product.k = std::min(kDepth, end - depth);
    product.accumulate = depth > begin;
    product.b = f32_block(p.panels, (panel * p.k + depth) * kPanel, product.k, own);
    for (int64_t row = 0; row < rows; row += kTileRows) {
      product.m = std::min(kTileRows, rows - row);
      product.a = p.tiles + ((first_row + row) / kTileRows * p.k + depth) * kTileRows;
      product.c = sums + row * kPanel;
      small_gemm(product);
    }
  }
}

/// The parts are the leaves of a binary tree: after part p as many levels are joined as p + 1 has
/// trailing zeros, so that at most one sum of each level is kept.
void compute_block(const Problem& p, int64_t panel, int64_t first_row, int64_t rows,
                   const Workspace& own) {
  int64_t level = 0;
  for (int64_t part = 0; part < p.parts; ++part) {
    compute_part(p, panel, first_row, rows, p.k / p.parts * part, p.k / p.parts * (part + 1), own,
                 own.sums(level++));
    for (int64_t joined = part + 1; joined % 2 == 0; joined /= 2) {
      --level;
      float* const left = own.sums(level - 1);
      const float* const right = own.sums(level);
      for (int64_t i = 0; i < rows * kPanel; ++i) left[i] += right[i];
    }
  }
  const int64_t column = panel * kPanel, count = std::min(kPanel, p.n - column);
  for (int64_t row = 0; row < rows; ++row) {
    float* const to = p.c + (first_row + row) * p.n + column;
    std::copy_n(own.sums(0) + row * kPanel, count, to);
    finish_row(p.epilogue, column, count, to);
  }
}

}  // namespace

Tensor pack_panels(const Stream& stream, const Tensor& w) {
  const int64_t n = w.dim(0), k = w.cols(), count = (n + kPanel - 1) / kPanel;
  const Tensor panels =
      Tensor::zeros(stream, {count, k, kPanel}, w.dtype(), MemoryOwner::kFrozenWeight);
  const auto fill = [&](const auto* source, auto* target) {
#pragma omp parallel for schedule(static)
    for (int64_t panel = 0; panel < count; ++panel)
      for (int64_t row = panel * kPanel; row < std::min(n, (panel + 1) * kPanel); ++row)
        for (int64_t i = 0; i < k; ++i)
          target[(panel * k + i) * kPanel + row % kPanel] = source[row * k + i];
  };
  if (w.dtype() == DType::kF32)
    fill(w.data<float>(), panels.data<float>());
  else
    fill(w.data<BFloat16>(), panels.data<BFloat16>());
  return panels;
}

void row_gemm(const Stream& stream, int64_t m, int64_t n, int64_t k, int64_t parts, const Tensor& a,
              const Tensor& panels, const Tensor& c, const GemmEpilogue& epilogue) {
  LYNCEUS_CHECK(parts > 0 && std::has_single_bit(static_cast<uint64_t>(parts)) &&
                    parts < (int64_t{1} << kMostLevels) && k % parts == 0,
                "{} parts of a sum over {}", parts, k);
  if (m == 0 || n == 0) return;
  const int64_t tiles = (m + kTileRows - 1) / kTileRows;
  const Tensor packed = Tensor::empty(stream, {tiles, k, kTileRows});
  pack_rows(m, k, a.data<float>(), packed.data<float>());
  const Problem problem{m, n, k, parts, packed.data<float>(), panels, c.data<float>(), epilogue};
  const int64_t columns = (n + kPanel - 1) / kPanel, blocks = (m + kBlockRows - 1) / kBlockRows;
  const int64_t threads =
      m * n * k <= kSerialWork ? 1 : std::min<int64_t>(omp_get_max_threads(), columns * blocks);
  const int64_t size = Workspace::size(parts);
  const Tensor memory = Tensor::empty(stream, {threads, size});
  float* const base = memory.data<float>();
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t item = 0; item < columns * blocks; ++item) {
    const int64_t first_row = item / columns * kBlockRows;
    compute_block(problem, item % columns, first_row, std::min(kBlockRows, m - first_row),
                  {base + omp_get_thread_num() * size});
  }
}

}  // namespace lynceus::kernels::cpu
