// The part of a text for sbatch below its values, the same for every job.
#pragma once

namespace lynceus::slurm {

/// bash. Expects the variables lynceus, launcher, container, modules, interface, nics, run and
/// train, and those that Slurm sets.
extern const char* const kBatchBody;

}  // namespace lynceus::slurm
