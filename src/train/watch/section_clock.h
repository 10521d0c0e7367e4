// Which section a rank is in, since when, and how long the sections took. The thread of the steps
// writes; the watchdog reads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "parallel/grid.h"
#include "train/watch/watch_config.h"

namespace lynceus::train {

/// What a rank did in a section, without waiting for others.
struct SectionTimes {
  std::array<double, kSections> busy = {};  ///< seconds by section, without waiting for others
  double total = 0;                         ///< seconds, with it
};

class SectionClock {
 public:
  SectionClock(const parallel::Grid& grid, const WatchConfig& config);

  // On the thread of the steps.
  /// `step`: completed.
  void enter(Section section, int64_t step);
  /// The times since the last call, and begins anew.
  SectionTimes take_times();

  // On any thread.
  struct Stall {
    Section section = Section::kInit;
    int64_t step = 0;
    double seconds = 0;  ///< since the section began or a call of a communicator began or ended
    double limit = 0;    ///< of the section; 0: none
    double note = 0;     ///< seconds after which the other ranks must know: half the least limit
  };
  Stall stall() const;
  /// The process was stopped and runs again: the time meanwhile does not count.
  void continued();

 private:
  double limit(Section section) const;

  const parallel::Grid& grid_;
  std::array<std::optional<double>, kSections> given_;  ///< limits that are not automatic
  std::atomic<Section> section_ = Section::kInit;
  std::atomic<int64_t> step_ = 0;
  std::atomic<int64_t> continued_ = 0;                       ///< steady nanoseconds
  std::atomic<int64_t> begin_;                               ///< steady nanoseconds
  std::array<std::atomic<double>, kSections> longest_ = {};  ///< seconds; 0: not completed yet
  double waited_ = 0;                                        ///< for others, when it began
  SectionTimes times_;
};

}  // namespace lynceus::train
