// How evenly the steps of a run were spread over replicas and ranks.
#pragma once

#include <cstdint>

namespace lynceus::train {

/// Means over steps of the largest load divided by the mean load.
class BalanceAccount {
 public:
  /// One step. `replicas`: this ratio for the planned work of the replicas; the rest: patch tokens,
  /// `most` on one rank and `total` on all `ranks` ranks.
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
