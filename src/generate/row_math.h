// Arithmetic over one row of logits or scores [size] f32, compiled for AVX2. Each function is one
// or two passes.
#pragma once

#include <span>

namespace lynceus::generate {

/// The largest value; −inf if the row is empty. NaN is passed over.
float largest_of(std::span<const float> row);

/// log Σ e^x. Not finite if the row has NaN or +inf, or nothing but −inf.
double log_sum_exp(std::span<const float> row);

/// scores = logits − log_sum: log_softmax if `log_sum` is log_sum_exp(logits).
void subtract(std::span<const float> logits, double log_sum, std::span<float> scores);

/// weights = e^((scores − largest) · scale), −inf gives 0. `largest`: of the scores, finite.
void exponentials(std::span<const float> scores, float largest, float scale,
                  std::span<float> weights);

}  // namespace lynceus::generate
