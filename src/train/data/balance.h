// Spreads indivisible units of work evenly: samples over replicas, media over the ranks of a
// replica.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

namespace lynceus::train {

/// The bin of each unit: units in order of falling cost (equal ones in order), each to the bin with
/// the least work so far (the first of equals). `load` is the work of each bin; it may start above
/// zero, and the units are added to it. So no bin gets more than the mean plus the largest unit,
/// and far less with many units (Graham, Bounds on multiprocessing timing anomalies, 1969).
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

/// The largest load divided by the mean: 1 is even; also 1 without any work.
template <typename Cost>
double imbalance(const std::vector<Cost>& load) {
  const auto total = static_cast<double>(std::accumulate(load.begin(), load.end(), Cost{0}));
  if (total <= 0) return 1;
  const auto most = static_cast<double>(*std::max_element(load.begin(), load.end()));
  return most * static_cast<double>(load.size()) / total;
}

}  // namespace lynceus::train
