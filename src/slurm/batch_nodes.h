// The part of a text for sbatch that chooses the nodes of the ranks, notes which nodes failed, and
// replaces lost nodes by spare ones.
#pragma once

namespace lynceus::slurm {

/// bash. Expects the variables spare_nodes and run, and those that Slurm sets.
extern const char* const kBatchNodes;

}  // namespace lynceus::slurm
