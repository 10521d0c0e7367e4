// The bootstrap over clusters (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// chapter 13): items of one picture are not independent, so whole pictures are drawn, with
// replacement. The interval is that of percentiles. The draws are a pure function of (seed,
// resample, draw), the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/statistics.h"

namespace lynceus::evaluate {

/// A row of sums for each cluster, such as the number of items and the sum of their differences.
class ClusterSums {
 public:
  explicit ClusterSums(size_t columns) : columns_(columns) {}

  /// Adds to the row of `cluster`; rows are in the order in which clusters appear first.
  void add(const std::string& cluster, std::span<const double> values);

  size_t columns() const { return columns_; }
  size_t clusters() const { return rows_.size(); }
  std::span<const double> row(size_t cluster) const;
  /// Sums over all clusters.
  std::vector<double> totals() const;

 private:
  size_t columns_;
  std::map<std::string, size_t> rows_;
  std::vector<double> values_;  // [clusters, columns]
};

/// A figure of sums over clusters; not a number where it is not defined.
using Statistic = std::function<double(std::span<const double> sums)>;

struct BootstrapOptions {
  uint64_t seed = 0;
  int64_t resamples = 10'000;
  double confidence = 0.95;
};

/// The percentiles of the statistic over the resamples, interpolated linearly. Draw d of resample r
/// is CounterRandom(seed, "bootstrap").below(r * clusters + d, clusters). Resamples without a
/// defined statistic are left out. nullopt where the resamples say nothing: fewer than two
/// clusters, or all resamples give one value.
std::optional<Interval> bootstrap_interval(const ClusterSums& sums, const Statistic& statistic,
                                           const BootstrapOptions& options = {});

/// How much larger the variance of the mean of clustered items is than that of independent items:
///   sum over clusters (s - m mean)^2 / sum over items (x - mean)^2
/// The rows are (items m, sum of their values s). 1 if the values do not differ.
double design_effect(const ClusterSums& items_and_sums, double sum_of_squares);

}  // namespace lynceus::evaluate
