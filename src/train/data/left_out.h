// The samples that a run leaves out: those of steps from which it went back because a number was
// not finite (train.nonfinite = rollback). With them the order of samples is still a pure function
// of (seed, config, this list).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "io/checkpoint/manifest.h"

namespace lynceus::train {

/// Indexes of the run that are never used. Skipped steps leave none out: they have used theirs.
class LeftOutSamples {
 public:
  LeftOutSamples() = default;
  explicit LeftOutSamples(const std::vector<io::LeftOutStep>& steps);

  /// The first index at or after `index` that is used.
  int64_t next_used(int64_t index) const;
  /// The index of the used sample number `seen`, counted from 0.
  int64_t index_of(int64_t seen) const;

 private:
  std::vector<std::pair<int64_t, int64_t>> ranges_;  // [begin, end), ascending, disjoint
};

/// The samples [first, end) of a step of `count` samples after `seen` used ones. Indexes that are
/// already left out may lie between them.
std::pair<int64_t, int64_t> samples_of_step(const LeftOutSamples& left_out, int64_t seen,
                                            int64_t count);

}  // namespace lynceus::train
