// Sums gradients over the group each of them belongs to (adapters over grid.data, the bridge over
// the world: the group is a property of the parameter). Small gradients travel together in flat
// buckets so that calls are few. Used by the step after the last backward.
#pragma once

#include <span>

#include "core/stream.h"
#include "parallel/communicator.h"

namespace lynceus::parallel {

struct GradientReduction {
  Tensor grad;  ///< f32, summed in place
  Communicator* group = nullptr;
};

inline constexpr size_t kGradientBucketBytes = size_t{16} << 20;

/// grad = Σ over its group of grad. All ranks of a group give the same tensors of it, and the
/// groups themselves, in the same order; the buckets follow from order and sizes alone, so the sums
/// are reproducible. A gradient of half a bucket or more travels alone, without a copy. Takes at
/// most one bucket of workspace.
void reduce_gradients(const Stream& stream, std::span<const GradientReduction> reductions,
                      size_t bucket_bytes = kGradientBucketBytes);

}  // namespace lynceus::parallel
