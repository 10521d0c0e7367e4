// Loads and verifies checkpoints, on any grid. All functions are collective. No other thread may
// use the HDF5 library meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/manifest.h"
#include "parallel/communicator.h"

namespace lynceus::io {

struct LoadOptions {
  /// Called on every rank with an intact manifest, before any tensor is read; throws to refuse the
  /// checkpoint (another config, other frozen weights). Its error ends the load.
  std::function<void(const Manifest&)> accept;
  /// Names that may be absent from the checkpoint (the local tensor keeps its value), and names in
  /// the checkpoint that may be unused. Null: none.
  std::function<bool(const std::string&)> may_be_missing;
  std::function<bool(const std::string&)> may_be_unused;
};

struct LoadedCheckpoint {
  Manifest manifest;
  std::filesystem::path path;
  std::vector<std::string> damaged;  ///< why newer checkpoints were skipped; also logged
};

/// Fills the local tensors from one checkpoint directory; padding becomes zero. InputError: the
/// checkpoint is damaged (file, tensor, block, expected and found digest), or all missing,
/// unexpected and mis-shaped tensors. After an error the tensors' contents are undefined.
LoadedCheckpoint load_checkpoint(parallel::Communicator& world,
                                 const std::filesystem::path& checkpoint,
                                 std::span<const CheckpointTensor> tensors,
                                 const LoadOptions& options = {});

/// The newest committed checkpoint of the run that is intact; damaged ones are skipped with a
/// warning. nullopt if none was ever committed. InputError if all are damaged, or if an intact one
/// does not fit (names, shapes, accept). An error with the exit code of IoError if one cannot be
/// read (EIO, EACCES, EMFILE): an unreadable checkpoint is not necessarily damaged.
std::optional<LoadedCheckpoint> load_newest_checkpoint(parallel::Communicator& world,
                                                       const std::filesystem::path& run_directory,
                                                       std::span<const CheckpointTensor> tensors,
                                                       const LoadOptions& options = {});

/// Reads every byte of a checkpoint back from the medium; the ranks share the work. InputError as
/// in load_checkpoint().
Manifest verify_checkpoint(parallel::Communicator& world, const std::filesystem::path& checkpoint);

}  // namespace lynceus::io
