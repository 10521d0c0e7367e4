// Saves the checkpoints of one run: stage, write in parallel, agree, commit by one rename.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/layout.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/retention.h"
#include "io/checkpoint/snapshot.h"
#include "parallel/communicator.h"

namespace lynceus::io {

class Lease;

struct SaveResult {
  bool committed = false;
  std::filesystem::path path;  ///< of the committed checkpoint
  std::string message;         ///< if not committed: the rank, the path, the library's text
  double seconds = 0;
  uint64_t bytes = 0;  ///< written, approximately
};

struct TrialResult {
  uint64_t checkpoint_bytes = 0;  ///< of one checkpoint, approximately
  uint64_t free_bytes = 0;        ///< in the run directory; on rank 0
  uint64_t staging_bytes = 0;     ///< of a snapshot; on this rank
};

struct CheckpointOptions {
  std::filesystem::path run_directory;
  int keep_last = 2;       ///< at least 2
  int64_t keep_every = 0;  ///< also keep the steps that are multiples of this; 0: none
  /// Refuse to save with less free space than this factor times the estimate; 0: do not check.
  double space_factor = 1.2;
  Lease* lease = nullptr;  ///< on rank 0; without a lease, no other process may write to this run
};

/// All functions are collective. A save has the turn of the HDF5 library (io/files/hdf5.h) until it
/// returns; it may run on any thread if no other one uses the store or `world` meanwhile.
class CheckpointStore {
 public:
  /// Creates RUN/checkpoints and deletes the leftovers of interrupted saves and removals. `world`
  /// and the lease must outlive the store.
  CheckpointStore(parallel::Communicator& world, CheckpointOptions options);

  /// Writes and commits one checkpoint. The trainer's part of `manifest` is the same on every rank.
  /// A failure of the machine (space, I/O, a lost lease, an existing checkpoint of that step) is
  /// returned, equal on every rank, and leaves the committed checkpoints unchanged. InternalError:
  /// the ranks' lists of tensors contradict each other.
  SaveResult save(Manifest manifest, std::span<const CheckpointTensor> tensors);

  /// Copies what a save of `tensors` would write into `memory`, which must have room for
  /// TrialResult::staging_bytes and is in use until the snapshot was saved. InternalError as above.
  Snapshot take_snapshot(Manifest manifest, std::span<const CheckpointTensor> tensors,
                         const StagingMemory& memory);
  /// The same as save() of the tensors at the time of the snapshot; uses none of them.
  SaveResult save(const Snapshot& snapshot);

  /// Finds out, before a run spends time on steps, whether a checkpoint of `tensors` can be saved:
  /// is there room for two (for one more, if the run has one), and does a small checkpoint, to
  /// which every rank contributes, pass all calls of a save: create, write, flush, rename, read,
  /// remove; can every rank open the files for it. Only the shapes of `tensors` are used.
  /// AgreedError (kIo) naming the folder and the first failure.
  TrialResult try_out(std::span<const CheckpointTensor> tensors);

  /// Replaces the list of left-out steps in the manifest of a committed checkpoint, atomically; its
  /// tensors stay. AgreedError: it cannot be read or written, or the lease is lost.
  void set_left_out(int64_t step, const std::vector<LeftOutStep>& left_out);

  /// io::set_aside_newer() for this run.
  std::vector<std::filesystem::path> set_aside_newer(int64_t step);

 private:
  /// Made once for the same tensors.
  std::vector<TensorPlan> plan(std::span<const CheckpointTensor> tensors);
  SaveResult save(Manifest manifest, const std::vector<TensorPlan>& plans, const RowsOf& rows);
  /// Writes and commits a checkpoint named `target`; returns the agreed failure.
  std::string write(Manifest manifest, const std::vector<TensorPlan>& plans, const RowsOf& rows,
                    const std::filesystem::path& target);
  std::string stage(const std::filesystem::path& target, uint64_t bytes);
  void warn_of_narrow_space(const TrialResult& trial, int64_t existing) const;
  void commit(const Manifest& manifest, const std::filesystem::path& target);
  void discard_staging();

  parallel::Communicator& world_;
  CheckpointOptions options_;
  std::string token_;
  Retention retention_;
  std::string description_;  ///< of this rank's tensors, for plans_
  std::vector<TensorPlan> plans_;
};

}  // namespace lynceus::io
