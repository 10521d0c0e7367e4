#include "evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/random.h"

namespace lynceus::evaluate {
namespace {

/// Of sorted values, between the nearest two: numpy's default.
double percentile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

void ClusterSums::add(const std::string& cluster, std::span<const double> values) {
  LYNCEUS_CHECK(values.size() == columns_, "expected {} values, found {}", columns_, values.size());
  const auto [found, is_new] = rows_.emplace(cluster, rows_.size());
  if (is_new) values_.resize(values_.size() + columns_);
  double* row = values_.data() + found->second * columns_;
  for (size_t c = 0; c < columns_; ++c) row[c] += values[c];
}

std::span<const double> ClusterSums::row(size_t cluster) const {
  return std::span(values_).subspan(cluster * columns_, columns_);
}

std::vector<double> ClusterSums::totals() const {
  std::vector<double> totals(columns_);
  for (size_t i = 0; i < values_.size(); ++i) totals[i % columns_] += values_[i];
  return totals;
}

std::optional<Interval> bootstrap_interval(const ClusterSums& sums, const Statistic& statistic,
                                           const BootstrapOptions& options) {
  const uint64_t clusters = sums.clusters();
  if (clusters < 2) return std::nullopt;
  const CounterRandom random(options.seed, "bootstrap");
  std::vector<double> found;
  std::vector<double> totals(sums.columns());
  for (uint64_t r = 0; r < static_cast<uint64_t>(options.resamples); ++r) {
    std::fill(totals.begin(), totals.end(), 0.0);
    for (uint64_t d = 0; d < clusters; ++d) {
      const auto row = sums.row(random.below(r * clusters + d, clusters));
      for (size_t c = 0; c < row.size(); ++c) totals[c] += row[c];
    }
    const double value = statistic(totals);
    if (!std::isnan(value)) found.push_back(value);
  }
  std::sort(found.begin(), found.end());
  if (found.empty() || found.front() == found.back()) return std::nullopt;
  const double tail = (1 - options.confidence) / 2;
  return Interval{percentile(found, tail), percentile(found, 1 - tail)};
}

double design_effect(const ClusterSums& items_and_sums, double sum_of_squares) {
  const std::vector<double> totals = items_and_sums.totals();
  const double mean = totals[1] / totals[0];
  double clustered = 0;
  for (size_t i = 0; i < items_and_sums.clusters(); ++i) {
    const auto row = items_and_sums.row(i);
    clustered += (row[1] - row[0] * mean) * (row[1] - row[0] * mean);
  }
  const double independent = sum_of_squares - totals[1] * mean;
  return independent <= 1e-12 * sum_of_squares ? 1 : clustered / independent;
}

}  // namespace lynceus::evaluate
