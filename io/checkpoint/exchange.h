// Moves the rows of one global tensor between the ranks that hold parts of it and the ranks that
// own its rows: gather before writing, scatter after reading. One grouped exchange a tensor, at
// most one message a pair of ranks. Used by checkpoint_writer.cpp and checkpoint_reader.cpp.
#pragma once

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/layout.h"

namespace lynceus::io {

/// Collective. The rows that this rank owns, [rows, row_elements] on the host; undefined if it owns
/// none. Where they all lie together in `mine` (null: this rank holds no part) it is a view of
/// that.
Tensor gather_owned(parallel::Communicator& world, const TensorPlan& plan,
                    const CheckpointTensor* mine, const Stream& host);

/// Collective. Hands the owners' rows out to all holders; padding of mine->local becomes zero.
void scatter_owned(parallel::Communicator& world, const TensorPlan& plan, const Tensor& owned,
                   const CheckpointTensor* mine, const Stream& host);

}  // namespace lynceus::io
