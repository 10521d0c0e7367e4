#include "doctor/launch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/text/units.h"
#include "core/version.h"
#include "io/files/digest.h"

namespace lynceus::doctor {
namespace {

// What launchers and Slurm say about the number of tasks.
constexpr const char* kSizes[] = {"SLURM_NTASKS", "PMI_SIZE",      "PMIX_SIZE",
                                  "PALS_NRANKS",  "FLUX_JOB_SIZE", "JSM_NAMESPACE_SIZE"};
constexpr size_t kMostNodesNamed = 8;

}  // namespace

void collect_launch(Facts* facts) {
  (*facts)["program"] = io::digest_file("/proc/self/exe").hex();
  (*facts)["version"] = software_version();
  (*facts)["process"] = std::to_string(getpid());
}

CheckResult check_world(const parallel::Environment& environment, int world_size) {
  constexpr const char* kCheck = "launch.world";
  const std::string lost = parallel::lost_world(environment, world_size);
  const std::string ranks = counted(world_size, "rank");
  if (!lost.empty())
    return judged(kCheck, Verdict::kCritical, fmt::format("1 rank: {}", lost),
                  "one world of all tasks",
                  "start it with `srun --mpi=pmix`, or with the mpirun of the MPI library that "
                  "lynceus was built with");
  for (const char* name : kSizes) {
    const char* text = environment(name);
    if (text == nullptr || *text == 0 || std::atoi(text) == world_size) continue;
    return judged(kCheck, Verdict::kWarning, fmt::format("{}, but {}={}", ranks, name, text),
                  fmt::format("{} ranks", text),
                  "start as many ranks as the job has tasks: leave -n out, or change --ntasks of "
                  "the job");
  }
  return passed(kCheck, ranks);
}

CheckResult check_program(const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "launch.program";
  const auto facts_of = [](const Facts& facts) {
    return fmt::format("{}, digest {}", text_of(facts, "version"),
                       text_of(facts, "program").substr(0, 12));
  };
  const std::string first = facts_of(ranks.front());
  std::vector<int> others;
  for (size_t rank = 1; rank < ranks.size(); ++rank)
    if (facts_of(ranks[rank]) != first) others.push_back(static_cast<int>(rank));
  if (others.empty()) return passed(kCheck, first);
  const size_t other = static_cast<size_t>(others.front());
  CheckResult finding = judged(
      kCheck, Verdict::kCritical, facts_of(ranks[other]), fmt::format("{} as on rank 0", first),
      "start one and the same file everywhere: put it on a file system that all nodes share, "
      "or copy it again");
  finding.where = fmt::format("{} on {}", ranks_text(others), text_of(ranks[other], kNode));
  return finding;
}

CheckResult check_nodes(const std::vector<Facts>& ranks) {
  const auto by_node = ranks_by_node(ranks);
  std::string map;
  size_t named = 0, least = ranks.size(), most = 0;
  for (const auto& [node, there] : by_node) {
    least = std::min(least, there.size());
    most = std::max(most, there.size());
    if (++named <= kMostNodesNamed)
      map += fmt::format("{}{}: {}", map.empty() ? "" : "; ", node, ranks_text(there));
  }
  if (named > kMostNodesNamed) map += fmt::format("; {} more", named - kMostNodesNamed);
  return judged("launch.nodes", least == most ? Verdict::kOk : Verdict::kWarning, map,
                "the same number of ranks on each node",
                "give the number for each node: srun --ntasks-per-node, or mpirun --map-by "
                "ppr:N:node");
}

CheckResult check_config(const std::string& difference, size_t keys) {
  return judged("launch.config", difference.empty() ? Verdict::kOk : Verdict::kCritical,
                difference.empty() ? fmt::format("{} keys, equal on all ranks", keys) : difference,
                "the same values on all ranks",
                "give all ranks the same options, and keep config files on a file system that all "
                "nodes share");
}

FittedGrid fit_grid(int64_t tensor, int64_t pipeline, int64_t data, int ranks) {
  const int64_t replica = tensor * pipeline;
  FittedGrid grid{{1, 1, ranks}, ""};
  if (ranks % replica != 0)
    grid.fault = fmt::format("{} for replicas of {} (parallel.tensor {} x parallel.pipeline {})",
                             counted(ranks, "rank"), replica, tensor, pipeline);
  else if (data != 0 && data != ranks / replica)
    grid.fault = fmt::format("{} for parallel.data = {} replicas of {}", counted(ranks, "rank"),
                             data, replica);
  else
    grid.shape = {static_cast<int>(tensor), static_cast<int>(pipeline),
                  static_cast<int>(ranks / replica)};
  return grid;
}

CheckResult check_grid(const FittedGrid& grid, const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "launch.grid";
  if (!grid.fault.empty())
    return judged(kCheck, Verdict::kCritical, grid.fault, "a multiple of the ranks of a replica",
                  "start a multiple of parallel.tensor x parallel.pipeline ranks, or change one of "
                  "the two");
  for (int rank = 0; rank < std::ssize(ranks); ++rank) {
    const int first = rank - grid.shape.tensor_rank(rank);
    const auto node = [&](int of) { return text_of(ranks[static_cast<size_t>(of)], kNode); };
    if (node(first) == node(rank)) continue;
    return judged(kCheck, Verdict::kWarning,
                  fmt::format("{}; a tensor group has ranks {} on {} and {} on {}",
                              grid.shape.to_string(), first, node(first), rank, node(rank)),
                  "tensor groups within a node",
                  "make parallel.tensor a divisor of the ranks of a node, and place neighbouring "
                  "ranks on one node: srun --distribution=block, or mpirun --map-by core");
  }
  return passed(kCheck, grid.shape.to_string());
}

}  // namespace lynceus::doctor
