// Watchdog: a thread per rank that ends the job if a rank makes no progress for longer than the
// limit of its section (watch_config.h). Progress is the begin of a section, and the begin or end
// of a call of a communicator.
//
// A rank that has made no progress for half the least limit writes its state (rank_state.h) into
// the run directory, and removes it when it continues; otherwise nothing is written. At the limit
// the lowest rank that still runs reads the states of all ranks, writes one message that names
// those which keep the others waiting (diagnosis.h) to the terminal and the log, and ends the job
// with exit code 124. A rank that is not waiting and still within the limit of its own section,
// such as one whose files are slow, is waited for. The time in which all processes were stopped, as
// by a scheduler that suspends jobs, does not count.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "parallel/watch/diagnosis.h"
#include "train/watch/section_clock.h"
#include "train/watch/watch_folder.h"

namespace lynceus::train {

class Watchdog {
 public:
  /// Collective over the world; `clock` and `grid` must outlive it.
  Watchdog(const parallel::Grid& grid, SectionClock* clock,
           const std::filesystem::path& run_directory);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Removes what earlier starts have left. On rank 0, which holds the lease of the run.
  void remove_leftovers() const { folder_->remove_others(); }
  /// "node3, process 711" of each rank.
  const std::vector<std::string>& places() const { return places_; }

 private:
  void watch();
  /// Waits for so many seconds; false: the destructor wants the end.
  bool sleep(double seconds);
  parallel::RankState state(const SectionClock::Stall& stall) const;
  void note(const SectionClock::Stall& stall);
  void withdraw();
  /// Ends the job, unless another rank does or a rank may still take its time.
  void report();
  /// The states of all ranks, or what to report without them.
  std::vector<std::optional<parallel::RankState>> collect(const SectionClock::Stall& stall) const;
  /// Whether this rank has made progress since.
  bool has_moved(const SectionClock::Stall& since) const;
  [[noreturn]] void end(const std::string& message) const;

  const parallel::Grid& grid_;
  SectionClock& clock_;
  std::filesystem::path run_directory_;
  std::vector<std::string> places_;
  std::optional<WatchFolder> folder_;
  bool noted_ = false;      ///< the state was written
  double next_report_ = 0;  ///< seconds of stall before the next attempt to report
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lynceus::train
