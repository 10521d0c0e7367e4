// The user's jobs in Slurm's queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lynceus::status {

struct QueuedJob {
  std::string id, name;
  std::string state;   ///< "PENDING", "RUNNING", ...
  std::string reason;  ///< why it waits: "Priority", "BeginTime", ...
  std::string start;   ///< when it is expected to start; "N/A" if Slurm does not know
};

/// Asks squeue; empty where there is none.
std::vector<QueuedJob> read_queue();
/// Lines of `squeue -h -o "%i|%T|%r|%S|%j"`. Lines of another form are left out.
std::vector<QueuedJob> parse_queue(const std::string& output);
/// The job with the number `id`, or else one of that name; nullopt: neither is queued.
std::optional<QueuedJob> find_job(const std::vector<QueuedJob>& queue, const std::string& id,
                                  const std::string& name);

}  // namespace lynceus::status
