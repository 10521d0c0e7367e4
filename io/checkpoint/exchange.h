// Moves the rows of one global tensor between the ranks that hold parts of it and the ranks that
// own its rows: gather before writing, scatter after reading. One grouped exchange per tensor, at
// most one message per pair of ranks.
#pragma once

#include "core/accelerator.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/layout.h"
#include "parallel/communicator.h"

namespace lynceus::io {

/// Collective. The rows that this rank owns, [rows, row_elements] on the host; undefined if it owns
/// none. `mine` is null if this rank holds no part of the tensor. If `mine` contains all owned rows
/// contiguously in host memory, the result is a view of it.
Tensor gather_owned(parallel::Communicator& world, const TensorPlan& plan,
                    const CheckpointTensor* mine, const Stream& host);

/// Collective among the ranks of the tensor. Copies the rows that this rank owns to `target` [rows,
/// row_elements] in host memory. Rows on a device that no other rank needs are copied in the order
/// of `queue`, so that `target` may be read after its synchronization; null for host tensors.
void stage_owned(parallel::Communicator& world, const TensorPlan& plan,
                 const CheckpointTensor* mine, const accelerator::Queue& queue,
                 const Tensor& target);

/// Collective. Sends the owners' rows to all holders; padding of mine->local becomes zero.
void scatter_owned(parallel::Communicator& world, const TensorPlan& plan, const Tensor& owned,
                   const CheckpointTensor* mine, const Stream& host);

}  // namespace lynceus::io
