// Requests to stop: SIGUSR1, SIGTERM, SIGINT, SIGHUP (unless it is ignored), the launcher of
// `--ranks`, or a file STOP in the run directory. A thread answers them at once; all ranks agree on
// them before each step, so that all save the same step. A run that another process has taken over
// stops there too.
#pragma once

#include <signal.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

#include "io/files/lease.h"
#include "parallel/communicator.h"

namespace lynceus::train {

/// In a run directory: the last start ended because of a file STOP. The job of `lynceus submit`
/// that finds it does not go back into the queue.
constexpr const char* kStoppedName = "STOPPED";

/// Why to stop; of the reasons of all ranks the largest value counts.
enum class StopReason : int64_t { kNone = 0, kRequested = 1, kLeaseLost = 2 };

/// Installs signal handlers for its lifetime. They run on a thread of their own: the threads that
/// compute block the signals, so raise() in one of them does nothing; use kill(). Afterwards the
/// signals are ignored: the run is already ending, and a second signal must not kill a rank while
/// others still wait for it.
class StopRequests {
 public:
  /// Called once, on a thread of its own, at the first request to this rank. `by_launcher`: a
  /// signal of the process that started this one, which may kill it soon.
  using Answer = std::function<void(bool by_launcher)>;

  explicit StopRequests(std::filesystem::path run_directory, Answer answer = {});
  ~StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;

  /// Lets requests to this rank reach `process` too, so that the rank which writes the log can
  /// answer. 0: none.
  void relay_to(pid_t process) { relay_ = process; }

  /// Collective over `world`: whether any rank was asked to stop. Rank 0 looks for the file and
  /// checks its lease, which may be null.
  StopReason agreed(parallel::Communicator& world, const io::Lease* lease) const;
  /// Collective: whether any rank was asked by a signal or the launcher.
  static bool any_asked(parallel::Communicator& world);
  /// Renames the file, if any, to kStoppedName, so that the next start continues. On rank 0.
  /// -> whether there was one.
  bool clear() const;

 private:
  void watch();

  std::filesystem::path stop_file_;
  Answer answer_;
  std::atomic<pid_t> relay_ = 0;
  sigset_t mask_before_{};
  int wake_[2] = {-1, -1};  ///< a pipe that the handler and the destructor write to
  std::thread watcher_;
};

/// Collective: the process of rank 0 if it runs on this machine and is not this one, else 0.
pid_t first_rank_here(parallel::Communicator& world);

}  // namespace lynceus::train
