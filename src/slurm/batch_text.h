// The text of a job for sbatch: a bash script with the values of a site and of a run at its top,
// and below them what is the same for all. slurm/*.sbatch are the texts of the default values.
#pragma once

#include <string>
#include <vector>

#include "slurm/submit_config.h"

namespace lynceus::slurm {

/// The options of `lynceus train` if none are given.
std::vector<std::string> default_training(JobKind kind);

/// The command lines of `lynceus train` in the jobs of a request, without --run: each stage and
/// each config of an array has its own.
std::vector<std::vector<std::string>> training_lines(const SubmitConfig& config,
                                                     const std::vector<std::string>& training);

/// One text for all jobs of a request: the job of a stage gets its number as an argument, those of
/// a sweep differ in --nodes, those of an array in their number. `config` has passed check();
/// `training`: options of `lynceus train` without --run, without control characters.
std::string batch_text(const SubmitConfig& config, const std::vector<std::string>& training);

}  // namespace lynceus::slurm
