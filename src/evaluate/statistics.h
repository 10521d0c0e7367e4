// Statistics of scores: exact tests, intervals, agreement of judges. The distributions are those of
// Boost.Math.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lynceus::evaluate {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Both systems answered the same items. A pair is discordant if only one of them is right.
struct PairCounts {
  int64_t both = 0;
  int64_t only_first = 0;
  int64_t only_second = 0;
  int64_t neither = 0;

  int64_t pairs() const { return both + only_first + only_second + neither; }
  /// Share of right answers of the second minus that of the first. 0 without pairs.
  double difference() const;
};

/// The exact McNemar test, two-sided: under the null hypothesis each discordant pair falls to
/// either side with probability 1/2, so p = min(1, 2 P(X <= min(b, c))) with X ~ Binomial(b + c,
/// 1/2). 1 without discordant pairs. The pairs are taken as independent.
double mcnemar_p(const PairCounts& counts);

/// Wilson's score interval for a proportion (Wilson, 1927). [0, 1] if `of` is 0.
Interval wilson_interval(int64_t right, int64_t of, double confidence = 0.95);

/// Error rates of a planned test.
struct TestPlan {
  double alpha = 0.05;  ///< two-sided
  double power = 0.80;
};

/// The number of pairs with which the exact McNemar test would show the difference that was seen,
/// if the shares of discordant pairs are those that were seen:
///   m = (z_alpha sqrt(psi) + z_beta sqrt(psi - delta^2))^2 / delta^2      (Connor, Biometrics 43,
///   1987) n = m / 4 (1 + sqrt(1 + 4 / (m |delta|)))^2, the continuity correction
///                                   (Casagrande, Pike and Smith, Applied Statistics 27, 1978)
/// with psi = (b + c) / n and delta = (c - b) / n, times the design effect (bootstrap.h) of items
/// that are not independent. Rounded up; nullopt if the difference is 0.
std::optional<int64_t> pairs_needed(const PairCounts& counts, double design_effect = 1,
                                    const TestPlan& plan = {});
/// The same for values: n = (z_alpha + z_beta)^2 variance / mean^2, with mean and variance of the
/// differences of the pairs.
std::optional<int64_t> pairs_needed(double mean, double variance, double design_effect = 1,
                                    const TestPlan& plan = {});

/// Holm's correction for several tests (Scandinavian Journal of Statistics 6, 1979): the corrected
/// values, in the order given.
std::vector<double> holm(std::span<const double> p_values);

/// A square table: how often the first judge gave category i and the second category j, row-major.
/// Cohen's kappa (Educational and Psychological Measurement 20, 1960): (po - pe) / (1 - pe).
/// nullopt if it is not defined: there is no item, or both judges gave all items one category.
std::optional<double> cohens_kappa(std::span<const double> table);

}  // namespace lynceus::evaluate
