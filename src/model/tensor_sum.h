// The sum over tensor ranks after a split product: y = Σ over grid.tensor of the ranks' parts. With
// Overlap::tensor on a device it is cut into chunks of rows, and the sum of one chunk overlaps with
// the product of the next. Chunks may be rounded otherwise than one sum.
//
// With rt.ordered_sums the ranks' parts are added in pairs of neighbours, the pairs in pairs and so
// on, whatever the number of rows: the order of kernels::PackedOrder::kRows.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/elementwise.h"
#include "parallel/runtime.h"

namespace lynceus::model {

/// The same rows of several tensors.
struct RowRange {
  int64_t begin = 0;
  int64_t count = 0;

  Tensor of(const Tensor& all) const { return all.slice(begin, count); }
};

inline constexpr int64_t kTensorSumChunks = 4;    ///< at most
inline constexpr int64_t kTensorSumGranule = 16;  ///< the rows of a chunk are a multiple of it

/// y = the sum of the y of all tensor ranks, in the order above.
inline void add_in_pairs(const Runtime& rt, const Tensor& y) {
  const int64_t ranks = rt.grid.tensor->size(), rows = y.dim(0);
  if (ranks <= 2) return rt.grid.tensor->all_reduce(y);  // one addition has one order
  const Tensor all = Tensor::empty(rt.stream, {ranks * rows, y.cols()}, y.dtype());
  rt.grid.tensor->all_gather(y, all);
  for (int64_t step = 1; step < ranks; step *= 2)
    for (int64_t rank = 0; rank + step < ranks; rank += 2 * step) {
      const Tensor sum = all.slice(rank * rows, rows);
      kernels::add(rt.stream, sum, all.slice((rank + step) * rows, rows), sum);
    }
  y.copy_from(all.slice(0, rows));
}

/// `product(rows)` writes this rank's part of the given rows of y [rows, width].
template <typename Product>
void sum_over_tensor_ranks(const Runtime& rt, const Tensor& y, const Product& product) {
  const int64_t rows = y.dim(0);
  if (rt.ordered_sums) {
    product(RowRange{0, rows});
    return add_in_pairs(rt, y);
  }
  const bool cut = rt.grid.tensor->size() > 1 && rt.overlaps(&parallel::Overlap::tensor);
  const int64_t chunks =
      cut ? std::clamp<int64_t>(rows / rt.overlap.tensor_rows, 1, kTensorSumChunks) : 1;
  const int64_t granules = (rows + kTensorSumGranule - 1) / kTensorSumGranule;
  const int64_t chunk = chunks > 1 ? (granules + chunks - 1) / chunks * kTensorSumGranule : rows;
  std::vector<parallel::Pending> sums;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const RowRange some{begin, std::min(chunk, rows - begin)};
    product(some);
    sums.push_back(rt.grid.tensor->all_reduce_async(some.of(y)));
  }
  for (parallel::Pending& sum : sums) sum.wait(rt.stream);
}

}  // namespace lynceus::model
