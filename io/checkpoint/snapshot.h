// The state of a run at one step, in memory of its own, so that a thread can write it into a
// checkpoint while training changes the tensors. A rank keeps only the rows that it will write:
// replicas share the work and the memory.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/stream.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/layout.h"
#include "io/checkpoint/manifest.h"
#include "parallel/communicator.h"

namespace lynceus::io {

/// Host memory for one snapshot at a time; pinned if the tensors are on a device.
class StagingMemory {
 public:
  StagingMemory() = default;
  /// Takes `bytes` and touches them. Error (kIo) if they do not exist. `compute`: the stream of the
  /// tensors.
  StagingMemory(const Stream& compute, uint64_t bytes);

  uint64_t bytes() const { return memory_.defined() ? memory_.bytes() : 0; }
  /// The queue of the copies: it continues after the work submitted to the stream of the tensors so
  /// far. Null on CPUs.
  accelerator::Queue begin() const;
  /// Returns when the copies are complete.
  void end() const;
  /// `shape` in f32 or another type, at byte `at`; moves `at` behind it.
  Tensor place(const Shape& shape, DType dtype, uint64_t* at) const;

 private:
  Stream compute_;
  Stream copies_;
  Tensor memory_;
};

/// The rows that this rank owns of the tensor of each plan, called in the order of the plans;
/// undefined if it owns none. It may be collective.
using RowsOf = std::function<Tensor(size_t plan)>;

struct Snapshot {
  Manifest manifest;
  std::vector<TensorPlan> plans;
  std::vector<Tensor> rows;  ///< of each plan, [rows, row_elements]; undefined: this rank owns none
  double seconds = 0;        ///< that it took
};

/// The staging memory that this rank needs for its rows.
uint64_t staging_bytes(const std::vector<TensorPlan>& plans, int rank);

/// Collective: copies the rows of this rank into `memory`, which must hold staging_bytes(). Tensor
/// shards along an axis after the first are exchanged; other rows stay on their rank, except for
/// blocks that straddle two tensor shards.
std::vector<Tensor> stage_rows(parallel::Communicator& world, const std::vector<TensorPlan>& plans,
                               std::span<const CheckpointTensor> tensors,
                               const StagingMemory& memory);

}  // namespace lynceus::io
