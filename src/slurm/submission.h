// The calls of sbatch that a request needs, and their answers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "slurm/submit_config.h"

namespace lynceus::slurm {

/// One call of sbatch.
struct Submission {
  std::string what;                    ///< "stage pretrain-224", for the page
  std::vector<std::string> options;    ///< of sbatch, before the file
  std::vector<std::string> arguments;  ///< of the text
  bool after_previous = false;         ///< starts when the job of the call before has ended well
};

/// One for each stage and each number of nodes, else one.
std::vector<Submission> submissions(const SubmitConfig& config);

/// The arguments of sbatch. `file`: of the text; `previous`: the id of the job of the call before.
std::vector<std::string> sbatch_arguments(const Submission& submission, const std::string& file,
                                          const std::string& previous);

/// The ids of the jobs of the last submission, one on a line: in RUN, for `lynceus status`.
constexpr const char* kJobIdsName = "job.ids";

/// Writes the text to RUN/job.sbatch and submits it as often as needed; writes RUN/job.ids; calls
/// `submitted` with each job's id. IoError with the words of sbatch if it refuses: jobs that were
/// submitted before stay. UsageError if there is no sbatch.
void submit(const SubmitConfig& config, const std::string& text,
            const std::function<void(const Submission&, const std::string& id)>& submitted);

/// Where submit() writes the text.
std::string job_file(const SubmitConfig& config);

}  // namespace lynceus::slurm
