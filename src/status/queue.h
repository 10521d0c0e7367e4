// The user's jobs in Slurm's queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lynceus::status {

struct QueuedJob {
  std::string id;     ///< of this job: SLURM_JOB_ID
  std::string shown;  ///< the same, for a job of an array ARRAY_TASK
  std::string name;
  std::string state;   ///< "PENDING", "RUNNING", ...
  std::string reason;  ///< why it waits: "Priority", "BeginTime", ...
  std::string start;   ///< when it is expected to start; "N/A" if Slurm does not know
};

struct JobQueue {
  bool answers = false;  ///< otherwise there is no squeue here, or it failed
  std::vector<QueuedJob> jobs;
};

/// Asks squeue.
JobQueue read_queue();
/// Lines of `squeue -h -o "%A|%i|%T|%r|%S|%j"`. Lines of another form are left out.
JobQueue parse_queue(const std::string& output);
/// The job with that number, or the first job of the array; nullopt: it is not queued.
std::optional<QueuedJob> find_job(const JobQueue& queue, const std::string& id);
/// A job of that name.
std::optional<QueuedJob> find_job_named(const JobQueue& queue, const std::string& name);

}  // namespace lynceus::status
