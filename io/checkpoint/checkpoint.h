// Checkpoints: all trained tensors and their moments as global tensors in one parallel HDF5 file,
// committed by one rename, readable on any grid.
//
//   RUN/checkpoints/step-00001000/state.h5        the tensors, f32, under "NAME/value", "/m", "/v"
//   RUN/checkpoints/step-00001000/MANIFEST.json   written last; its presence here is the commit
//   RUN/checkpoints/latest                        a symbolic link for users; no program reads it
//   RUN/checkpoints/.staging-TOKEN/               being written by the owner of the lease TOKEN
//   RUN/checkpoints/superseded-step-...           set aside by a resume from an earlier step
//
// Every row block of every global tensor has one owner rank. To save, the ranks that hold parts of
// a block send them to its owner, which digests the block from memory and writes it. To load, the
// owner reads the block, checks its digest and sends the parts to all ranks that hold one, so each
// byte is read once on any grid.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/parameter.h"

namespace lynceus::io {

/// One global tensor and this rank's part of it. A rank lists only what it holds; ranks that list
/// the same name hold replicas, or tensor shards that together make the tensor.
struct CheckpointTensor {
  std::string name;   ///< "NAME/value"
  Tensor local;       ///< f32, f64, i32, i64 or u8; may reach past the shard's extent (padding)
  TensorShard shard;  ///< axis -1: replicated
};

/// `parameter`'s value under "NAME/value"; for its moments pass another tensor of the same shard:
/// checkpoint_tensor(p, "m", moments.m).
CheckpointTensor checkpoint_tensor(const Parameter& parameter);
CheckpointTensor checkpoint_tensor(const Parameter& parameter, const std::string& kind,
                                   const Tensor& local);

/// RUN/checkpoints/step-00001000.
std::filesystem::path checkpoint_path(const std::filesystem::path& run_directory, int64_t step);
/// Committed checkpoints of a run, newest first: directories that have their final name and a
/// manifest. They may be damaged. Not collective.
std::vector<std::filesystem::path> committed_checkpoints(
    const std::filesystem::path& run_directory);

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kSupersededPrefix = "superseded-step-";
/// Of a checkpoint that only shows that saving works. A start removes what a killed one left.
constexpr const char* kTrialName = ".removing-trial";

/// The step in a name that begins with one of these prefixes; nullopt if the name has another form.
std::optional<int64_t> step_in(const std::string& name, std::string_view prefix);
/// Entries of RUN/checkpoints with names of that form, newest first.
std::vector<std::filesystem::path> entries_with(const std::filesystem::path& run_directory,
                                                std::string_view prefix);

}  // namespace lynceus::io
