// A block of b is copied into panels once and multiplied with all rows of a, one register tile of
// rows at a time, by small_gemm.
#include "kernels/cpu/blocked_gemm.h"

#include <algorithm>

#include "kernels/cpu/small_gemm.h"

namespace lynceus::kernels::cpu {
namespace {

// 1 MiB of b and 0.1 MiB of a: they fit into a second-level cache together with the current rows of
// c.
constexpr int64_t kBlockCols = 1024;
constexpr int64_t kBlockRows = 96;
// With strides of a power of two, rows and panels would map to the same few sets of the first-level
// cache.
constexpr int64_t kSkew = kLane;

constexpr int64_t panel_stride(int64_t depth) { return depth * kPanel + 2 * kSkew; }

/// Parts of equal size, none above `most`; a multiple of `grain`.
int64_t even_part(int64_t extent, int64_t most, int64_t grain) {
  const int64_t parts = (extent + most - 1) / most;
  return ((extent + parts - 1) / parts + grain - 1) / grain * grain;
}

struct Block {
  int64_t depth, depth_count;  // the part of k
  int64_t col, col_count;      // the columns of b and c
};

/// Copies the block of b into panels of [depth, kPanel], the last one padded with zeros.
void pack_columns(const GemmOperand& b, const Block& block, float* panels) {
  const int64_t whole = block.col_count / kPanel * kPanel;
  const int64_t rest = block.col_count - whole;
  const int64_t stride = panel_stride(block.depth_count);
  const float* row = b.data + block.depth * b.stride + block.col;
  for (int64_t i = 0; i < block.depth_count; ++i, row += b.stride, panels += kPanel) {
    float* target = panels;
    for (int64_t col = 0; col < whole; col += kPanel, target += stride)
      std::copy_n(row + col, kPanel, target);
    if (rest == 0) continue;
    std::copy_n(row + whole, rest, target);
    std::fill_n(target + rest, kPanel - rest, 0.0f);
  }
}

constexpr int64_t kPackedTile = kTileRows * (kBlockDepth + kSkew);
constexpr int64_t kPackedRows = kBlockRows / kTileRows * kPackedTile;

/// Copies rows [row, row + count) of a transposed a, one register tile after the other.
void pack_transposed_rows(const GemmOperand& a, int64_t row, int64_t count, const Block& block,
                          float* target) {
  const int64_t whole = count / kTileRows * kTileRows;
  for (int64_t i = 0; i < block.depth_count; ++i) {
    const float* const source = a.data + (block.depth + i) * a.stride + row;
    float* column = target + i * kTileRows;
    for (int64_t r = 0; r < whole; r += kTileRows, column += kPackedTile)
      std::copy_n(source + r, kTileRows, column);
    std::copy_n(source + whole, count - whole, column);
  }
}

/// Copies rows [row, row + count) of a plain a in row order, skewed.
void pack_plain_rows(const GemmOperand& a, int64_t row, int64_t count, const Block& block,
                     float* target) {
  const int64_t stride = block.depth_count + kSkew;
  for (int64_t r = 0; r < count; ++r)
    std::copy_n(a.data + (row + r) * a.stride + block.depth, block.depth_count,
                target + r / kTileRows * kPackedTile + r % kTileRows * stride);
}

}  // namespace

int64_t blocked_gemm_workspace() {
  return kPackedRows + kBlockCols / kPanel * panel_stride(kBlockDepth);
}

void blocked_gemm(const BlockedGemm& p, float* workspace) {
  float* const panels = workspace + kPackedRows;
  const int64_t depth = even_part(p.k, kBlockDepth, 1);
  const int64_t width = even_part(p.n, kBlockCols, kPanel);
  Block block{};
  for (block.depth = 0; block.depth < p.k; block.depth += depth) {
    block.depth_count = std::min(depth, p.k - block.depth);
    for (block.col = 0; block.col < p.n; block.col += width) {
      block.col_count = std::min(width, p.n - block.col);
      pack_columns(p.b, block, panels);
      SmallGemm product;
      product.n = block.col_count;
      product.k = block.depth_count;
      product.a_row = p.a.transposed ? 1 : block.depth_count + kSkew;
      product.a_col = p.a.transposed ? kTileRows : 1;
      product.b = panels;
      product.b_row = kPanel;
      product.b_panel = panel_stride(block.depth_count);
      product.c_row = p.c_row;
      product.accumulate = p.accumulate || block.depth > 0;
      for (int64_t row = 0; row < p.m; row += kBlockRows) {
        const int64_t count = std::min(kBlockRows, p.m - row);
        (p.a.transposed ? pack_transposed_rows : pack_plain_rows)(p.a, row, count, block,
                                                                  workspace);
        for (int64_t r = 0; r < count; r += kTileRows) {
          product.m = std::min(kTileRows, count - r);
          product.a = workspace + r / kTileRows * kPackedTile;
          product.c = p.c + (row + r) * p.c_row + block.col;
          small_gemm(product);
        }
      }
    }
  }
}

}  // namespace lynceus::kernels::cpu
