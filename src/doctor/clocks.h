// The clocks of the nodes against that of rank 0, and the end of the job.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "doctor/facts.h"
#include "train/incarnation/job_clock.h"

namespace lynceus::doctor {

/// A rank's clock minus rank 0's, seconds: the time that the rank answers, against the middle of
/// question and answer. The true difference is at most `uncertainty` away.
struct ClockOffset {
  int rank = 0;
  double seconds = 0, uncertainty = 0;
};
/// Collective. One rank of each node; all ranks of a small world.
std::vector<ClockOffset> measure_clocks(parallel::Communicator& world,
                                        const std::vector<Facts>& ranks);
CheckResult check_clocks(const std::vector<ClockOffset>& offsets, const std::vector<Facts>& ranks);

/// `end`: what the run will know; `slurm_end`: what only Slurm knows.
CheckResult check_job_end(const std::optional<train::JobEnd>& end, std::optional<double> slurm_end,
                          double now);
/// The end of this job as Slurm's scontrol says it, seconds since 1970; nullopt: no job, or not
/// known.
std::optional<double> job_end_of_slurm();

}  // namespace lynceus::doctor
