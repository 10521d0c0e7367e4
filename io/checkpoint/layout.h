// Which rank holds which part of a global tensor, and which rank owns (writes, reads, digests)
// which of its rows. The plan is a pure function of the descriptions of all ranks, so every rank
// computes the same one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/manifest.h"

namespace lynceus::io {

/// A distinct part of a tensor and the ranks that hold a replica of it.
struct TensorSlice {
  int64_t offset = 0;  ///< along the sharded axis
  int64_t extent = 0;
  std::vector<int> holders;  ///< ascending
};

/// Consecutive rows of the global tensor that one rank owns: complete digest blocks.
struct OwnedRows {
  int rank = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

struct TensorPlan {
  std::string name;
  Shape shape;  ///< global
  DType dtype = DType::kF32;
  int axis = -1;                    ///< -1: one slice, the complete tensor
  std::vector<TensorSlice> slices;  ///< tile the axis, ascending
  std::vector<OwnedRows> owners;    ///< tile the rows, ascending; no rank appears twice

  int64_t rows() const { return digest_rows(shape); }
  int64_t row_elements() const { return shape.elements() / rows(); }
  int64_t block_rows() const { return digest_block_rows(shape, dtype); }
  uint64_t bytes() const { return static_cast<uint64_t>(shape.elements()) * size_of(dtype); }
  /// The rows of `owned` that `slice` covers at least in part; none: begin == end.
  OwnedRows rows_in_slice(const OwnedRows& owned, const TensorSlice& slice) const;
  /// The rows that `rank` owns; none: begin == end.
  OwnedRows owned_by(int rank) const;
};

/// This rank's tensors as text for plan_tensors. InternalError if a shape contradicts its shard.
std::string describe_tensors(std::span<const CheckpointTensor> tensors);

/// The plans, ascending by name, from the descriptions of all ranks, in rank order. InternalError
/// listing every inconsistency (shapes, types, axes that differ, gaps, overlaps).
std::vector<TensorPlan> plan_tensors(const std::vector<std::string>& descriptions);

/// Plans for reading all of a manifest's tensors, shared by `ranks` ranks that hold no part of
/// them.
std::vector<TensorPlan> plan_verification(const Manifest& manifest, int ranks);

}  // namespace lynceus::io
