// The parts of a text for sbatch below its values, the same for every job: modules and environment,
// then (batch_nodes.h) the nodes, then the command of the ranks, the answer to signals, the way
// back into the queue, and the run.
#pragma once

namespace lynceus::slurm {

/// bash. Expect the variables lynceus, launcher, container, modules, interface, nics, run, train
/// and spare_nodes, and those that Slurm sets.
extern const char* const kBatchEnvironment;
extern const char* const kBatchBody;

}  // namespace lynceus::slurm
