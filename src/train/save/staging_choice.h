// Whether checkpoints are written while training goes on, and the memory for that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint/snapshot.h"
#include "parallel/runtime.h"
#include "train/config.h"

namespace lynceus::train {

/// Collective over the world: staging memory for a snapshot of `bytes` on this rank, taken now, or
/// none if a rank has a reason against it: checkpoint.staging_mib, the memory that is free, the MPI
/// library. Logs which. `nodes`: the node of each rank.
std::optional<io::StagingMemory> choose_staging(const Runtime& rt, const CheckpointConfig& config,
                                                uint64_t bytes,
                                                const std::vector<std::string>& nodes);

}  // namespace lynceus::train
