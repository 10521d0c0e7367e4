#include "evaluate/statistics.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/check.h"

namespace lynceus::evaluate {
namespace {

/// The quantile of the standard normal distribution that is exceeded with probability `tail`.
double upper_normal(double tail) { return std::numbers::sqrt2 * boost::math::erfc_inv(2 * tail); }

/// nullopt if it is not a number of this world.
std::optional<int64_t> rounded_up(double count) {
  if (!(count < 1e15)) return std::nullopt;
  // Rounding errors must not add a pair to a whole number.
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(count * (1 - 1e-12))));
}

}  // namespace

double PairCounts::difference() const {
  return pairs() == 0
             ? 0
             : static_cast<double>(only_second - only_first) / static_cast<double>(pairs());
}

double mcnemar_p(const PairCounts& counts) {
  const int64_t few = std::min(counts.only_first, counts.only_second);
  const int64_t many = std::max(counts.only_first, counts.only_second);
  if (few == many) return 1;
  // P(X <= few) of Binomial(few + many, 1/2) is a regularized incomplete beta function.
  return std::min(
      1.0, 2 * boost::math::ibeta(static_cast<double>(many), static_cast<double>(few + 1), 0.5));
}

Interval wilson_interval(int64_t right, int64_t of, double confidence) {
  LYNCEUS_CHECK(right >= 0 && right <= of, "expected 0 <= {} <= {}", right, of);
  if (of == 0) return {0, 1};
  const double n = static_cast<double>(of);
  const double share = static_cast<double>(right) / n;
  const double z = upper_normal((1 - confidence) / 2);
  const double center = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {right == 0 ? 0 : center - half, right == of ? 1 : center + half};
}

std::optional<int64_t> pairs_needed(const PairCounts& counts, double design_effect,
                                    const TestPlan& plan) {
  if (counts.only_first == counts.only_second) return std::nullopt;
  const double n = static_cast<double>(counts.pairs());
  const double psi = static_cast<double>(counts.only_first + counts.only_second) / n;
  const double delta = counts.difference();
  const double root = upper_normal(plan.alpha / 2) * std::sqrt(psi) +
                      upper_normal(1 - plan.power) * std::sqrt(psi - delta * delta);
  const double uncorrected = root * root / (delta * delta);
  const double factor = 1 + std::sqrt(1 + 4 / (uncorrected * std::abs(delta)));
  return rounded_up(uncorrected / 4 * factor * factor * design_effect);
}

std::optional<int64_t> pairs_needed(double mean, double variance, double design_effect,
                                    const TestPlan& plan) {
  if (mean == 0) return std::nullopt;
  const double z = upper_normal(plan.alpha / 2) + upper_normal(1 - plan.power);
  return rounded_up(z * z * variance / (mean * mean) * design_effect);
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> corrected(p_values.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, static_cast<double>(order.size() - i) * p_values[order[i]]);
    corrected[order[i]] = std::min(1.0, largest);
  }
  return corrected;
}

std::optional<double> cohens_kappa(std::span<const double> table) {
  const auto size = static_cast<size_t>(std::lround(std::sqrt(static_cast<double>(table.size()))));
  LYNCEUS_CHECK(size * size == table.size(), "expected a square table, found {} cells",
                table.size());
  const double all = std::accumulate(table.begin(), table.end(), 0.0);
  if (all == 0) return std::nullopt;
  double observed = 0, expected = 0;
  for (size_t i = 0; i < size; ++i) {
    double row = 0, column = 0;
    for (size_t j = 0; j < size; ++j) {
      row += table[i * size + j];
      column += table[j * size + i];
    }
    observed += table[i * size + i] / all;
    expected += row / all * (column / all);
  }
  if (expected >= 1) return std::nullopt;
  return (observed - expected) / (1 - expected);
}

}  // namespace lynceus::evaluate
