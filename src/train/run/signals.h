// Requests to stop: SIGUSR1, SIGTERM, SIGINT, or a file STOP in the run directory. They set a flag
// that the step boundary agrees on, so that all ranks save the same step. A run that another
// process has taken over stops there too.
#pragma once

#include <filesystem>

#include "io/checkpoint/lease.h"
#include "parallel/communicator.h"

namespace lynceus::train {

/// Why to stop; the gravest of all ranks counts.
enum class StopReason : int64_t { kNone = 0, kRequested = 1, kLeaseLost = 2 };

/// Installs handlers for its lifetime; afterwards the signals are ignored, since what they ask for
/// is under way: a second one must not kill a rank that still has to take leave of the others.
class StopRequests {
 public:
  explicit StopRequests(std::filesystem::path run_directory);
  ~StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;

  /// Collective: whether any rank was asked to stop. Rank 0 looks for the file and at its lease.
  StopReason agreed(parallel::Communicator& world, const io::Lease* lease) const;
  /// Removes the file, if any: what it asked for is done, and the next start is to go on. On rank
  /// 0.
  void clear() const;

 private:
  std::filesystem::path stop_file_;
};

}  // namespace lynceus::train
