// Checkpoints: all trained tensors and their moments as *global* tensors in one parallel-HDF5 file,
// committed by one rename, readable on any grid.
//
//   RUN/checkpoints/step-00001000/state.h5        the tensors, f32, under "NAME/value", "/m", "/v"
//   RUN/checkpoints/step-00001000/MANIFEST.json   io/checkpoint/manifest.h; its presence here is the commit
//   RUN/checkpoints/latest                        a link for people; nothing reads it
//   RUN/checkpoints/.staging-TOKEN/               being written by the holder of the lease TOKEN
//   RUN/checkpoints/superseded-step-...           set aside: a resume went back behind it
//
// Every row block of every global tensor has one owner rank. Saving: the ranks that hold parts of a
// block send them to its owner, who digests it from memory and writes it. Loading is the same plan
// backwards: the owner reads, checks the digest, and sends to all who hold a part, so that each
// byte is read once whatever the grid. Used by the trainer and `evaluate`.
//
// All functions that take a communicator are collective over it. The HDF5 library must not be used
// by another thread meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/parameter.h"
#include "io/checkpoint/lease.h"
#include "io/checkpoint/manifest.h"
#include "parallel/communicator.h"

namespace lynceus::io {

/// One global tensor and this rank's part of it. A rank lists what it holds and nothing else; ranks
/// that list the same name hold replicas or the shards that together make the tensor.
struct CheckpointTensor {
  std::string name;   ///< "NAME/value"
  Tensor local;       ///< f32, f64, i32, i64 or u8; may reach past the shard's extent (padding)
  TensorShard shard;  ///< axis -1: replicated
};

/// `parameter`'s value under "NAME/value"; pass another tensor of the same shard for its moments:
/// checkpoint_tensor(p, "m", moments.m).
CheckpointTensor checkpoint_tensor(const Parameter& parameter);
CheckpointTensor checkpoint_tensor(const Parameter& parameter, const std::string& kind,
                                   const Tensor& local);

/// RUN/checkpoints/step-00001000.
std::filesystem::path checkpoint_path(const std::filesystem::path& run_directory, int64_t step);
/// Committed checkpoints of a run, newest first: those that are finally named and have a manifest,
/// which may turn out not to hold true. Not collective.
std::vector<std::filesystem::path> committed_checkpoints(
    const std::filesystem::path& run_directory);

struct SaveResult {
  bool committed = false;
  std::filesystem::path path;  ///< of the committed checkpoint
  std::string message;         ///< why not: the rank, the path, the library's text
  double seconds = 0;
  uint64_t bytes = 0;  ///< written, about
};

struct CheckpointOptions {
  std::filesystem::path run_directory;
  int keep_last = 2;       ///< at least 2
  int64_t keep_every = 0;  ///< also keep steps that this divides; 0: none
  /// Do not begin with less free space than this times the estimate; 0: begin anyway.
  double space_factor = 1.2;
  Lease* lease = nullptr;  ///< on rank 0; without one nobody else may write to this run
};

/// Saves the checkpoints of one run.
class CheckpointStore {
 public:
  /// Makes RUN/checkpoints and deletes what interrupted saves and removals left there. `world` and
  /// the lease must live as long as the store.
  CheckpointStore(parallel::Communicator& world, CheckpointOptions options);

  /// Writes and commits one checkpoint; `manifest` brings what the trainer says, the same on every
  /// rank. What the machine does wrong (space, I/O, a lost lease, an existing checkpoint of that
  /// step) is a result, equal on every rank, and leaves the committed checkpoints as they were.
  /// InternalError: the ranks' lists do not fit together.
  SaveResult save(Manifest manifest, std::span<const CheckpointTensor> tensors);

  /// Renames the checkpoints behind `step` to superseded-...: call after resuming from `step`, so
  /// that the next resume does not find another history. Returns what was renamed.
  std::vector<std::filesystem::path> set_aside_newer(int64_t step);

 private:
  std::string stage(const Manifest& manifest, uint64_t bytes);
  void commit(const Manifest& manifest);
  void discard_staging();
  void retain();
  bool verified(const std::filesystem::path& checkpoint);
  void remove(const std::filesystem::path& checkpoint);

  parallel::Communicator& world_;
  CheckpointOptions options_;
  std::string token_;
  std::set<std::filesystem::path> verified_;  // read back by this store
};

struct LoadOptions {
  /// Called on every rank with a manifest that holds true, before any tensor is read; throws to
  /// refuse (another config, other frozen weights). Its error ends the load.
  std::function<void(const Manifest&)> accept;
  /// Names for which it is no error to be absent from the checkpoint (the local tensor stays as it
  /// is) or to be there and not asked for. Null: none.
  std::function<bool(const std::string&)> may_be_missing;
  std::function<bool(const std::string&)> may_be_unused;
};

struct LoadedCheckpoint {
  Manifest manifest;
  std::filesystem::path path;
  std::vector<std::string> damaged;  ///< why newer ones were not taken; also logged as warnings
};

/// Fills the local tensors, padding with zeros, from one checkpoint directory, on any grid.
/// InputError: it is damaged (file, tensor, block, expected and found digest), or missing, extra
/// and mis-shaped tensors, all at once. After an error the tensors hold anything.
LoadedCheckpoint load_checkpoint(parallel::Communicator& world,
                                 const std::filesystem::path& checkpoint,
                                 std::span<const CheckpointTensor> tensors,
                                 const LoadOptions& options = {});

/// The newest committed checkpoint of the run that is whole; damaged ones are passed over with a
/// warning. Nothing when none was ever committed; InputError when all are damaged, or when one that
/// is whole does not fit (names, shapes, accept); IoError's code when one cannot be read (EIO,
/// EACCES, EMFILE), which says nothing about its damage.
std::optional<LoadedCheckpoint> load_newest_checkpoint(parallel::Communicator& world,
                                                       const std::filesystem::path& run_directory,
                                                       std::span<const CheckpointTensor> tensors,
                                                       const LoadOptions& options = {});

/// Reads every byte of a checkpoint back from its medium, the work shared by all ranks. InputError
/// as load_checkpoint.
Manifest verify_checkpoint(parallel::Communicator& world, const std::filesystem::path& checkpoint);

}  // namespace lynceus::io
