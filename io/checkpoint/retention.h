// Decides which checkpoints of a run are kept. A checkpoint is renamed before it is deleted, so
// that a partly deleted one is never used.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

namespace lynceus::parallel {
class Communicator;
}

namespace lynceus::io {

class Retention {
 public:
  /// `world` must outlive this. keep_every: also keep the steps that are multiples of it; 0: none.
  Retention(parallel::Communicator& world, std::filesystem::path run_directory, int keep_last,
            int64_t keep_every);

  /// Collective. Removes old checkpoints, but only those older than two that were read back and
  /// found intact. A failure to remove is logged.
  void remove_old();
  /// `checkpoint` was rewritten: it must be read back again before it counts as intact.
  void forget(const std::filesystem::path& checkpoint) { verified_.erase(checkpoint); }

 private:
  bool verified(const std::filesystem::path& checkpoint);

  parallel::Communicator& world_;
  std::filesystem::path run_directory_;
  int keep_last_;
  int64_t keep_every_;
  std::set<std::filesystem::path> verified_;  // read back by this object
};

/// Collective. Renames the checkpoints after `step` to superseded-...; call it after resuming from
/// `step`, so that the next resume does not find another history. Returns the new paths.
std::vector<std::filesystem::path> set_aside_newer(parallel::Communicator& world,
                                                   const std::filesystem::path& run_directory,
                                                   int64_t step);

}  // namespace lynceus::io
