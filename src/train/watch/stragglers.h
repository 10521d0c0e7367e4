// Slow ranks: every kWindow steps the ranks gather how long their steps took without waiting for
// others. A rank that takes more than `factor` times the median of its stage, kWindows times in a
// row, is named in the log with its host, the factor and the section; its recovery is said too. A
// stage of one rank is compared with its own fastest window.
//
// Of a window each rank gives the medians of its steps, so that one slow step of other causes
// (a page fault, a report) names nobody.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "parallel/grid.h"
#include "train/watch/section_clock.h"

namespace lynceus::train {

/// Medians over the steps of a window, of one rank. Seconds.
struct RankTimes {
  double data = 0;   ///< waiting for files
  double step = 0;   ///< computing
  double total = 0;  ///< of the step, with the wait for others
};

/// Decides who is slow. A value without communication.
class StragglerTable {
 public:
  static constexpr int kWindow = 10;  ///< steps
  static constexpr int kWindows = 3;  ///< in a row until a rank is named, or has recovered

  /// `factor` of watchdog.slow_factor, above 1; `places`: "node3, process 711" by rank.
  StragglerTable(const parallel::GridShape& shape, double factor, std::vector<std::string> places);

  /// The times of all ranks over a window that ended with `step`. -> lines for the log.
  std::vector<std::string> add(int64_t step, const std::vector<RankTimes>& times);

 private:
  struct Rank {
    int slow = 0, normal = 0;  ///< windows in a row
    bool named = false;
    std::array<double, 2> fastest = {};  ///< data and step, of its windows so far; 0: none yet
  };
  std::array<double, 2> expected(int rank, const std::vector<RankTimes>& times) const;

  parallel::GridShape shape_;
  double factor_;
  std::vector<std::string> places_;
  std::vector<Rank> ranks_;
};

/// Gathers the times of a run.
class Stragglers {
 public:
  Stragglers(const parallel::Grid& grid, double factor, const std::vector<std::string>& places);

  /// After each step, on all ranks; collective at the end of a window. Rank 0 writes the log.
  void add_step(int64_t step, const SectionTimes& times);

 private:
  const parallel::Grid& grid_;
  double factor_;
  StragglerTable table_;
  std::vector<RankTimes> steps_;
};

}  // namespace lynceus::train
