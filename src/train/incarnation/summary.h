// What a start of a run asked for and used: a table at the end of the log, and RUN/summary.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/files/json_value.h"
#include "parallel/communicator.h"
#include "train/incarnation/job_clock.h"
#include "train/incarnation/record.h"

namespace lynceus::train {

constexpr const char* kSummaryName = "summary.json";

/// Of all ranks, or of all nodes.
struct ResourceUse {
  double cpu_seconds = 0;  ///< of all threads of all ranks
  int64_t cores = 0;       ///< that the ranks may use
  int64_t nodes = 0;
  int64_t node_memory_bytes = 0;  ///< the sum of the peaks of the ranks of a node, the largest
};

/// Collective. `node`: of this rank.
ResourceUse gather_use(parallel::Communicator& world, const std::string& node);

/// What the job asked for, as far as it is known.
struct ResourceRequest {
  std::optional<double> seconds;
  std::optional<int64_t> cores;              ///< SLURM_JOB_CPUS_PER_NODE, of all nodes
  std::optional<int64_t> node_memory_bytes;  ///< SLURM_MEM_PER_NODE or SLURM_MEM_PER_CPU
};
/// `job_begin`: of the job or else of the process, seconds since 1970.
ResourceRequest requested_resources(const std::optional<JobEnd>& end, double job_begin);
/// "16(x2),8" -> 40; nullopt for another form.
std::optional<int64_t> sum_of_cpus(const std::string& cpus_per_node);

struct RunSummary {
  std::vector<Incarnation> incarnations;  ///< all, with this one as the last; it has ended
  ResourceRequest requested;
  std::optional<ResourceUse> used;  ///< nullopt: the run failed, so the ranks were not asked

  /// The lines of the table.
  std::vector<std::string> lines() const;
  /// The content of summary.json.
  io::JsonValue to_json() const;
};

}  // namespace lynceus::train
