#include "generate/strategy.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "generate/row_math.h"

namespace lynceus::generate {

double log_sum_of(std::span<const float> logits) {
  const double log_sum = log_sum_exp(logits);
  if (!std::isfinite(log_sum)) {
    throw NumericError("logits of the next token: expected finite numbers, found {}", log_sum);
  }
  return log_sum;
}

double score_of(double sum, int64_t length, double length_penalty) {
  // An answer without tokens has the score of its sum.
  return sum / std::pow(static_cast<double>(std::max<int64_t>(length, 1)), length_penalty);
}

}  // namespace lynceus::generate
