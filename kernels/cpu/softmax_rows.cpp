#include "kernels/cpu/softmax_rows.h"

#include <cmath>

#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/small_gemm.h"
#include "kernels/cpu/vector_math.h"

namespace lynceus::kernels::cpu {
namespace {

/// e^−kNegligible neither changes a sum of at least 1 nor falls below the normal numbers.
constexpr float kNegligible = 80.0f;

// Rows are computed in full vectors: the columns between the visible ones and the next multiple of
// kLane get a harmless score first and zero at the end.
[[gnu::always_inline]] inline void softmax_body(const ScoreBlock& block, float* scores,
                                                float* inverse_sum, float* lse) {
  for (int64_t row = 0; row < block.rows; ++row, scores += block.stride) {
    const int64_t visible = block.visible(row);
    const int64_t whole = round_to_lane(visible);
    std::fill(scores + visible, scores + whole, scores[0]);
    float max = scores[0];
#pragma omp simd reduction(max : max)
    for (int64_t i = 0; i < whole; ++i) max = scores[i] > max ? scores[i] : max;
    std::fill(scores + visible, scores + whole, max - kNegligible);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < whole; ++i) {
      const float weight = vector_exp(scores[i] - max);
      scores[i] = weight;
      sum += weight;
    }
    std::fill(scores + visible, scores + std::max(whole, block.cols), 0.0f);
    inverse_sum[row] = 1.0f / sum;
    if (lse != nullptr) lse[row] = max + std::log(sum);
  }
}

[[gnu::always_inline]] inline void softmax_backward_body(const ScoreBlock& block, const float* lse,
                                                         const float* delta, float* scores,
                                                         float* gradient) {
  for (int64_t row = 0; row < block.rows; ++row) {
    const int64_t visible = block.visible(row);
    const int64_t whole = round_to_lane(visible);
    const float row_lse = lse[row];
    const float row_delta = delta[row];
    std::fill(scores + visible, scores + whole, row_lse);
    std::fill(gradient + visible, gradient + whole, 0.0f);
#pragma omp simd
    for (int64_t i = 0; i < whole; ++i) {
      const float probability = vector_exp(scores[i] - row_lse);
      scores[i] = probability;
      gradient[i] = probability * (gradient[i] - row_delta);
    }
    std::fill(scores + visible, scores + std::max(whole, block.cols), 0.0f);
    std::fill(gradient + visible, gradient + std::max(whole, block.cols), 0.0f);
    scores += block.stride;
    gradient += block.stride;
  }
}

LYNCEUS_AVX512 void softmax_avx512(const ScoreBlock& block, float* scores, float* inverse_sum,
                                   float* lse) {
  softmax_body(block, scores, inverse_sum, lse);
}

LYNCEUS_AVX512 void softmax_backward_avx512(const ScoreBlock& block, const float* lse,
                                            const float* delta, float* scores, float* gradient) {
  softmax_backward_body(block, lse, delta, scores, gradient);
}

}  // namespace

void softmax_rows(const ScoreBlock& block, float* scores, float* inverse_sum, float* lse) {
  if (has_avx512()) return softmax_avx512(block, scores, inverse_sum, lse);
  softmax_body(block, scores, inverse_sum, lse);
}

void softmax_backward_rows(const ScoreBlock& block, const float* lse, const float* delta,
                           float* scores, float* gradient) {
  if (has_avx512()) return softmax_backward_avx512(block, lse, delta, scores, gradient);
  softmax_backward_body(block, lse, delta, scores, gradient);
}

}  // namespace lynceus::kernels::cpu
