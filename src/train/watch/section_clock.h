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
  /// A thread begins to save a checkpoint of `step` while the steps go on. It has the limit of the
  /// section checkpoint; a rank that waits for it in that section has only its limit.
  void saving_began(int64_t step);
  /// The thread of the steps has its result: it took so many seconds.
  void saving_took(double seconds);

  // On the thread that saves.
  void saving_ended() { saving_begin_.store(0, std::memory_order_relaxed); }

  // On any thread.
  struct Stall {
    Section section = Section::kInit;
    int64_t step = 0;
    double seconds = 0;  ///< since the section began or a call of a communicator began or ended
    double limit = 0;    ///< of the section; 0: none
    double note = 0;     ///< seconds after which the other ranks must know: half the least limit
    bool is_saving = false;  ///< of the thread that saves; otherwise of the thread of the steps
  };
  /// Of the thread that has used more of its limit.
  Stall stall() const;
  /// Whether a thread saves a checkpoint while the steps go on.
  bool is_saving() const { return saving_begin_.load(std::memory_order_relaxed) != 0; }
  /// The process was stopped and runs again: the time meanwhile does not count.
  void continued();

 private:
  double limit(Section section) const;
  Stall stall_of_steps() const;
  std::optional<Stall> stall_of_saving() const;

  const parallel::Grid& grid_;
  std::array<std::optional<double>, kSections> given_;  ///< limits that are not automatic
  std::atomic<Section> section_ = Section::kInit;
  std::atomic<int64_t> step_ = 0;
  std::atomic<int64_t> continued_ = 0;     ///< steady nanoseconds
  std::atomic<int64_t> begin_;             ///< steady nanoseconds
  std::atomic<int64_t> saving_begin_ = 0;  ///< the same; 0: no thread saves
  std::atomic<int64_t> saving_step_ = 0;
  std::array<std::atomic<double>, kSections> longest_ = {};  ///< seconds; 0: not completed yet
  double waited_ = 0;                                        ///< for others, when it began
  SectionTimes times_;
};

}  // namespace lynceus::train
