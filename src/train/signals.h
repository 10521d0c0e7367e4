// Requests to stop: SIGUSR1, SIGTERM, SIGINT, or a file STOP in the run directory. They set a flag
// that the step boundary agrees on, so that all ranks save the same step.
#pragma once

#include <filesystem>

#include "parallel/communicator.h"

namespace lynceus {

/// Installs handlers for its lifetime.
class StopRequests {
 public:
  explicit StopRequests(std::filesystem::path run_directory);
  ~StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;

  /// Collective: whether any rank was asked to stop. Rank 0 looks for the file.
  bool agreed(parallel::Communicator& world) const;
  /// Removes the file, if any: what it asked for is done, and the next start is to go on. On rank
  /// 0.
  void clear() const;

 private:
  std::filesystem::path stop_file_;
};

}  // namespace lynceus
