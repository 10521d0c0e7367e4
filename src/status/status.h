// Where a run is, read from its run directory and from Slurm's queue. Nothing is written, so it
// works while another machine trains.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/files/json_value.h"
#include "status/queue.h"

namespace lynceus::status {

struct RunStatus {
  std::string run;
  /// submitted, queued, starting, loading, running, stopped, finished, failed, killed, crash loop.
  std::string state;
  int64_t step = 0, steps = 0;         ///< completed, of; 0: not known
  double seconds_per_step = 0;         ///< the median of the last steps; 0: not known
  std::optional<double> seconds_left;  ///< until the last step, while it is running
  int64_t checkpoint = 0;              ///< step of the newest one; 0: none
  int64_t starts = 0, killed = 0;      ///< of the starts, those that were killed
  std::string where;                   ///< "job 42 on node1,node2", "process 17 on node1"
  std::string note;                    ///< why it ended, or what the queue says
};

/// The status of a run. InputError if `run_directory` has nothing of a run or its jobs and no job
/// of its name is queued.
RunStatus status_of(const std::filesystem::path& run_directory, const JobQueue& queue);

/// Lines of a table with a header.
std::vector<std::string> table_of(const std::vector<RunStatus>& runs);
io::JsonValue to_json(const RunStatus& run);

}  // namespace lynceus::status
