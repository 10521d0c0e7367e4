// Requests to stop: SIGUSR1, SIGTERM, SIGINT, or a file STOP in the run directory. All ranks agree
// on them after a step, so that all save the same step. A run that another process has taken over
// stops there too.
#pragma once

#include <filesystem>

#include "io/files/lease.h"
#include "parallel/communicator.h"

namespace lynceus::train {

/// Why to stop; of the reasons of all ranks the largest value counts.
enum class StopReason : int64_t { kNone = 0, kRequested = 1, kLeaseLost = 2 };

/// Installs signal handlers for its lifetime. Afterwards the signals are ignored: the run is
/// already ending, and a second signal must not kill a rank while others still wait for it.
class StopRequests {
 public:
  explicit StopRequests(std::filesystem::path run_directory);
  ~StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;

  /// Collective over `world`: whether any rank was asked to stop. Rank 0 looks for the file and
  /// checks its lease, which may be null.
  StopReason agreed(parallel::Communicator& world, const io::Lease* lease) const;
  /// Removes the file, if any, so that the next start continues. On rank 0.
  void clear() const;

 private:
  std::filesystem::path stop_file_;
};

}  // namespace lynceus::train
