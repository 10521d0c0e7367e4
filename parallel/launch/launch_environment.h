// What a launcher (mpirun, srun, PALS ...) says in the environment about the tasks it started.
//
// Where launcher and MPI library do not share a PMI, MPI starts every task as a world of its own:
// four ranks 0 of 1, each of which would do all of the work alone. The variables of the launcher
// then say more tasks than MPI has ranks.
#pragma once

#include <functional>
#include <string>

namespace lynceus::parallel {

/// The value of an environment variable; null: it is not set.
using Environment = std::function<const char*(const char* name)>;
Environment process_environment();

/// Whether a launcher of MPI started this process as one of its ranks. A batch script of Slurm and
/// a shell are not ranks.
bool is_launched(const Environment& environment);

/// Whether Open MPI would end this process while it starts: it takes a task of srun, which its
/// variables SLURM_STEP_ID and SLURM_NODELIST show, for one of its own ranks, but srun offers no
/// PMI that it has. `has_slurm_pmi`: it was built with Slurm's PMI-1 or PMI-2.
bool lacks_pmi_of_slurm(const Environment& environment, bool has_slurm_pmi);

/// One sentence with the cure if MPI has a world of one rank although the launcher started several
/// tasks; empty: both agree, or no launcher is known.
std::string lost_world(const Environment& environment, int world_size);

}  // namespace lynceus::parallel
