// Which checkpoint --resume and --init mean, before it is opened.
#pragma once

#include <optional>
#include <string>

#include "io/checkpoint/manifest.h"
#include "parallel/communicator.h"
#include "train/run/run_options.h"

namespace lynceus::train {

/// Collective: in a later start of a Slurm job, takes back the options that its first start has
/// followed, since sbatch repeats the whole command line: --resume once a start of the job had its
/// state, --take-over and --restart-anyway once one has begun. Says so in the log.
void take_back_followed_options(parallel::Communicator& world, RunOptions* options);

/// Collective: the manifest of the checkpoint that `options.resume` selects, read on rank 0.
/// nullopt if there is none or it cannot be read; whoever opens the checkpoint says why.
std::optional<io::Manifest> selected_manifest(parallel::Communicator& world,
                                              const RunOptions& options);

/// Collective: `init`, or for a run directory its newest committed checkpoint. InputError, agreed,
/// if the run has none, or if `init` is a checkpoint of a run that does not have it: the message
/// lists those that it has.
std::string checkpoint_to_start_from(parallel::Communicator& world, const std::string& init);

/// Collective: InputError, agreed, listing the steps that exist, if the run has no committed
/// checkpoint of `step`.
void expect_checkpoint(parallel::Communicator& world, const std::string& run, int64_t step);

}  // namespace lynceus::train
