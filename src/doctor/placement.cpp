#include "doctor/placement.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

#include "core/cores.h"
#include "core/text/units.h"
#include "doctor/topology.h"
#include "parallel/launch/launch_environment.h"

namespace lynceus::doctor {
namespace {

struct NodeCores {
  std::vector<int> ranks;
  std::set<int> bound, available;
  int threads = 0;
};

std::map<std::string, NodeCores> cores_by_node(const std::vector<Facts>& ranks) {
  std::map<std::string, NodeCores> nodes;
  for (const auto& [node, there] : ranks_by_node(ranks)) {
    NodeCores& cores = nodes[node];
    cores.ranks = there;
    for (const int rank : there) {
      const Facts& facts = ranks[static_cast<size_t>(rank)];
      for (const int core : numbers_of(facts, "cores.bound")) cores.bound.insert(core);
      for (const int core : numbers_of(facts, "cores.available")) cores.available.insert(core);
      cores.threads += static_cast<int>(number_of(facts, "threads"));
    }
  }
  return nodes;
}

bool is_on_device(const std::vector<Facts>& ranks) {
  return number_of(ranks.front(), "on_device") != 0;
}

/// The ranks of a node whose cores are all in `cores`.
std::vector<int> ranks_within(const std::vector<Facts>& ranks, const std::vector<int>& of_node,
                              const std::vector<int>& cores) {
  std::vector<int> within;
  for (const int rank : of_node) {
    const auto mine = numbers_of(ranks[static_cast<size_t>(rank)], "cores.bound");
    if (std::includes(cores.begin(), cores.end(), mine.begin(), mine.end())) within.push_back(rank);
  }
  return within;
}

/// Devices as one fact: "GPU 0000:17:00.0@0|mlx5_0@0 1".
std::string devices_text(const std::vector<NearDevice>& devices, bool gpus) {
  std::string text;
  for (const NearDevice& device : devices)
    if (device.is_gpu == gpus)
      text += fmt::format("{}{}@{}", text.empty() ? "" : "|", device.name, text_of(device.numa));
  return text;
}

struct NamedDevice {
  std::string name;
  std::vector<int> numa;
};

std::vector<NamedDevice> devices_of(const Facts& facts, const std::string& key) {
  std::vector<NamedDevice> devices;
  std::istringstream entries(text_of(facts, key));
  for (std::string entry; std::getline(entries, entry, '|');) {
    const size_t at = entry.find('@');
    devices.push_back({entry.substr(0, at), numbers_of({{"numa", entry.substr(at + 1)}}, "numa")});
  }
  return devices;
}

bool share_one(const std::vector<int>& a, const std::vector<int>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](int one) { return std::find(b.begin(), b.end(), one) != b.end(); });
}

}  // namespace

void collect_placement(Facts* facts, bool on_device) {
  const Topology topology = read_topology();
  const CoreSet bound = bound_cores();
  std::set<int> all, mine;
  for (const auto& [core, numa] : topology.numa_of_core) all.insert(numa);
  for (const int core : bound)
    if (const auto found = topology.numa_of_core.find(core); found != topology.numa_of_core.end())
      mine.insert(found->second);
  const bool launched = parallel::is_launched(parallel::process_environment());
  (*facts)["cores.bound"] = text_of(bound);
  (*facts)["cores.available"] = text_of(launched ? available_cores() : bound);
  (*facts)["threads"] = std::to_string(omp_get_max_threads());
  (*facts)["threads.variable"] = std::getenv("OMP_NUM_THREADS") == nullptr ? "" : "OMP_NUM_THREADS";
  (*facts)["numa.mine"] = text_of(std::vector<int>(mine.begin(), mine.end()));
  (*facts)["numa.count"] = std::to_string(all.size());
  (*facts)["topology"] = topology.source;
  (*facts)["gpus"] = devices_text(topology.devices, true);
  (*facts)["cards"] = devices_text(topology.devices, false);
  (*facts)["on_device"] = on_device ? "1" : "0";
}

CheckResult check_shared_cores(const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "placement.cores";
  std::string cores;
  for (const auto& [node, there] : cores_by_node(ranks)) {
    for (const int rank : there.ranks) {
      const auto set = numbers_of(ranks[static_cast<size_t>(rank)], "cores.bound");
      const std::vector<int> within = ranks_within(ranks, there.ranks, set);
      if (set.empty() || within.size() <= set.size()) continue;
      const bool others_are_free = set.size() < there.available.size();
      return judged(
          kCheck, others_are_free ? Verdict::kCritical : Verdict::kWarning,
          fmt::format("{} on {} share {}", ranks_text(within), node,
                      counted(std::ssize(set), "core")),
          "at least one core for each rank",
          others_are_free
              ? "bind each rank to cores of its own: mpirun --bind-to core, srun "
                "--cpu-bind=cores, or no binding at all (mpirun --bind-to none)"
              : fmt::format("start at most {} on a node, or ask the scheduler for more cores "
                            "(--cpus-per-task)",
                            counted(std::ssize(set), "rank")));
    }
    if (cores.empty())
      cores = fmt::format("{} on {} of {}", counted(std::ssize(there.ranks), "rank"),
                          counted(std::ssize(there.bound), "core"), node);
  }
  return passed(kCheck, cores);
}

CheckResult check_unused_cores(const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "placement.unused-cores";
  std::vector<RankCores> cores;
  for (const Facts& facts : ranks)
    cores.push_back({text_of(facts, kNode), numbers_of(facts, "cores.bound"),
                     numbers_of(facts, "cores.available"),
                     static_cast<int>(number_of(facts, "threads"))});
  const auto unused = find_unused_cores(cores);
  if (!unused) return passed(kCheck, "none");
  return judged(kCheck, Verdict::kWarning,
                fmt::format("{} on {} {} bound to {} of {} cores",
                            counted(static_cast<int64_t>(unused->ranks), "rank"), unused->node,
                            unused->ranks == 1 ? "is" : "are", unused->bound, unused->available),
                "all cores of the job", unused->remedy());
}

CheckResult check_threads(const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "placement.threads";
  std::string measured;
  for (const auto& [node, there] : cores_by_node(ranks)) {
    const auto cores = static_cast<int>(there.bound.size());
    const auto count = static_cast<int>(there.ranks.size());
    const std::string here = fmt::format("{} on {} of {}", counted(there.threads, "thread"),
                                         counted(cores, "core"), node);
    const std::string remedy =
        fmt::format("export OMP_NUM_THREADS={}, or unset it: then each rank takes its share",
                    std::max(1, cores / count));
    // More ranks than cores is another finding.
    if (there.threads > std::max(cores, count))
      return judged(kCheck, Verdict::kWarning, here, "at most one thread for each core", remedy);
    const bool is_set =
        !text_of(ranks[static_cast<size_t>(there.ranks.front())], "threads.variable").empty();
    if (is_set && !is_on_device(ranks) && 2 * there.threads <= cores)
      return judged(kCheck, Verdict::kWarning, here, "a thread for each core", remedy);
    if (measured.empty()) measured = here;
  }
  return passed(kCheck, measured);
}

CheckResult check_numa(const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "placement.numa";
  const Facts& first = ranks.front();
  if (number_of(first, "numa.count") == 0) return passed(kCheck, "NUMA domains are not known");
  for (const auto& [node, there] : ranks_by_node(ranks))
    for (const int rank : there) {
      const Facts& facts = ranks[static_cast<size_t>(rank)];
      const auto mine = numbers_of(facts, "numa.mine");
      const int64_t domains = number_of(facts, "numa.count");
      if (mine.size() < 2 || std::ssize(there) < domains) continue;
      return judged(
          kCheck, Verdict::kWarning,
          fmt::format("rank {} on {} may run on {} NUMA domains", rank, node, mine.size()),
          fmt::format("one of the {} domains for each rank", domains),
          "bind ranks to NUMA domains: mpirun --map-by numa --bind-to numa, or srun "
          "--cpu-bind=ldoms");
    }
  return passed(kCheck, fmt::format("{} a node (from {})",
                                    counted(number_of(first, "numa.count"), "NUMA domain"),
                                    text_of(first, "topology")));
}

CheckResult check_devices(const std::vector<Facts>& ranks) {
  constexpr const char* kCheck = "placement.devices";
  for (const auto& [node, there] : ranks_by_node(ranks)) {
    if (!is_on_device(ranks)) break;
    for (size_t place = 0; place < there.size(); ++place) {
      const Facts& facts = ranks[static_cast<size_t>(there[place])];
      const auto gpus = devices_of(facts, "gpus");
      if (gpus.empty()) continue;
      const NamedDevice& gpu = gpus[place % gpus.size()];
      const auto mine = numbers_of(facts, "numa.mine");
      if (gpu.numa.empty() || mine.empty() || share_one(gpu.numa, mine)) continue;
      return judged(kCheck, Verdict::kWarning,
                    fmt::format("rank {} on {} runs on NUMA domain {}, {} is next to {}",
                                there[place], node, text_of(mine), gpu.name, text_of(gpu.numa)),
                    "cores next to the rank's GPU",
                    "bind ranks in the order of the GPUs: srun --gpu-bind=closest "
                    "--cpu-bind=ldoms, or mpirun --map-by numa");
    }
  }
  const auto gpus = devices_of(ranks.front(), "gpus"), cards = devices_of(ranks.front(), "cards");
  std::string names;
  for (const NamedDevice& card : cards) names += " " + card.name;
  return passed(kCheck, fmt::format("{}, {}{} a node", counted(std::ssize(gpus), "GPU"),
                                    counted(std::ssize(cards), "InfiniBand card"),
                                    names.empty() ? "" : " (" + names.substr(1) + ")"));
}

CheckResults check_placement(const std::vector<Facts>& ranks) {
  CheckResults results = {check_shared_cores(ranks)};
  // Ranks on the same cores leave others unused: one fault.
  if (results.front().verdict != Verdict::kCritical) results.push_back(check_unused_cores(ranks));
  results.insert(results.end(), {check_threads(ranks), check_numa(ranks), check_devices(ranks)});
  return results;
}

}  // namespace lynceus::doctor
