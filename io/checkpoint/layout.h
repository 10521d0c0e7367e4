// Who holds which part of which global tensor, and who owns (writes, reads, digests) which of its
// rows: a pure function of what all ranks say they hold, so every rank computes the same plan.
// Used by checkpoint_writer.cpp and checkpoint_reader.cpp; testable without MPI.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/manifest.h"

namespace lynceus::io {

/// A distinct part of a tensor and the ranks that hold a replica of it, ascending.
struct TensorSlice {
  int64_t offset = 0;  ///< along the sharded axis
  int64_t extent = 0;
  std::vector<int> holders;
};

/// Consecutive rows of the global tensor, whole digest blocks, that one rank owns.
struct OwnedRows {
  int rank = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

struct TensorPlan {
  std::string name;
  Shape shape;  ///< global
  DType dtype = DType::kF32;
  int axis = -1;                    ///< -1: one slice, the whole tensor
  std::vector<TensorSlice> slices;  ///< tile the axis, ascending
  std::vector<OwnedRows> owners;    ///< tile the rows, ascending; no rank stands twice

  int64_t rows() const { return digest_rows(shape); }
  int64_t row_elements() const { return shape.elements() / rows(); }
  int64_t block_rows() const { return digest_block_rows(shape, dtype); }
  uint64_t bytes() const { return static_cast<uint64_t>(shape.elements()) * size_of(dtype); }
  /// The rows of `owned` that a slice reaches into; begin == end: none.
  OwnedRows rows_in_slice(const OwnedRows& owned, const TensorSlice& slice) const;
  /// What `rank` owns; nothing: begin == end.
  OwnedRows owned_by(int rank) const;
};

/// This rank's tensors as text for plan_tensors. LYNCEUS_CHECKs shapes against shards.
std::string describe_tensors(std::span<const CheckpointTensor> tensors);

/// The plans, ascending by name, from the descriptions of all ranks, by rank. InternalError listing
/// every inconsistency (shapes, types, axes that differ, gaps, overlaps).
std::vector<TensorPlan> plan_tensors(const std::vector<std::string>& descriptions);

/// Plans for reading all of a manifest's tensors, shared by `ranks` ranks that hold nothing.
std::vector<TensorPlan> plan_verification(const Manifest& manifest, int ranks);

}  // namespace lynceus::io
