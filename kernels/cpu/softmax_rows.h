// The row-wise half of attention: softmax of a block of scores and its gradient, while the block is
// in cache.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lynceus::kernels::cpu {

/// A block of scores: row r's first visible(r) > 0 columns count, the others become zero. Columns
/// up to round_to_lane(cols) may be written.
struct ScoreBlock {
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;
  int64_t first_row = 0;  ///< the block's first row's index in its sequence
  bool causal = false;

  int64_t visible(int64_t row) const { return causal ? std::min(cols, first_row + row + 1) : cols; }
};

/// scores = exp(scores − row maximum);  inverse_sum [rows] = 1 / Σ scores;
/// lse [rows] = maximum + log Σ scores, null: not wanted.
void softmax_rows(const ScoreBlock& block, float* scores, float* inverse_sum, float* lse);

/// scores = exp(scores − lse), the probabilities;  gradient = scores · (gradient − delta). lse,
/// delta [rows]; gradient has the layout of scores; on input it is the gradient of the
/// probabilities.
void softmax_backward_rows(const ScoreBlock& block, const float* lse, const float* delta,
                           float* scores, float* gradient);

}  // namespace lynceus::kernels::cpu
