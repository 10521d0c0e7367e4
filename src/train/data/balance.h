// Spreads units of work that cannot be cut over ranks or replicas. Used for samples over replicas
// and for media over the ranks of a replica.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace lynceus::train {

/// The bin of each unit: units by falling cost (equal ones in order), each to the bin with the
/// least so far (the first of equals). `load`, the work by bin, is what they have already, and
/// grows. So no bin ends with more than the mean plus the largest unit, and far less where units
/// are many (Graham, Bounds on multiprocessing timing anomalies, 1969).
template <typename Cost>
std::vector<int> spread_evenly(const std::vector<Cost>& costs, std::vector<Cost>* load) {
  std::vector<size_t> order(costs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  std::vector<int> bins(costs.size());
  for (const size_t unit : order) {
    const auto least = std::min_element(load->begin(), load->end());
    *least += costs[unit];
    bins[unit] = static_cast<int>(least - load->begin());
  }
  return bins;
}

/// The work of the busiest over the mean: 1 is even; 1 too where there is no work.
template <typename Cost>
double imbalance(const std::vector<Cost>& load) {
  const auto total = static_cast<double>(std::accumulate(load.begin(), load.end(), Cost{0}));
  if (total <= 0) return 1;
  const auto most = static_cast<double>(*std::max_element(load.begin(), load.end()));
  return most * static_cast<double>(load.size()) / total;
}

/// Means over steps of how the busiest compared with the mean.
class BalanceAccount {
 public:
  /// One step: of the replicas' planned work, and of the ranks' patch tokens, `most` of `total` on
  /// `ranks` ranks.
  void add(double replicas, int64_t most, int64_t total, int ranks) {
    ++steps_;
    replicas_ += replicas;
    ranks_ += total == 0 ? 1
                         : static_cast<double>(most) * static_cast<double>(ranks) /
                               static_cast<double>(total);
  }
  int64_t steps() const { return steps_; }
  double replicas() const { return replicas_ / static_cast<double>(steps_); }
  double ranks() const { return ranks_ / static_cast<double>(steps_); }

 private:
  int64_t steps_ = 0;
  double replicas_ = 0, ranks_ = 0;
};

}  // namespace lynceus::train
