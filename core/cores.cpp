#include "core/cores.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <thread>

namespace lynceus {
namespace {

constexpr int kCoresPerDecoder = 8;
constexpr int kMostDecoders = 8;

int node_cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

int ranks_on_node = 1;

/// Bits for 1024 cores; the system refuses a set that has fewer than it knows.
using Bits = std::vector<cpu_set_t>;
constexpr size_t kMostSets = 64;

CoreSet affinity_of(pid_t process) {
  return read_affinity([process](size_t bytes, void* bits) {
    return sched_getaffinity(process, bytes, static_cast<cpu_set_t*>(bits));
  });
}

int allowed_cores() {
  const auto allowed = static_cast<int>(bound_cores().size());
  return allowed > 0 ? allowed : node_cores();
}

}  // namespace

int cores_of_rank(int allowed, int node_cores, int ranks_on_node) {
  const int share = node_cores / std::max(1, ranks_on_node);
  return std::max(1, std::min(allowed, share));
}

int cores_of_this_rank() { return cores_of_rank(allowed_cores(), node_cores(), ranks_on_node); }

void set_ranks_on_node(int ranks) { ranks_on_node = ranks; }

CoreSet read_affinity(const AffinityCall& call) {
  CoreSet cores;
  for (Bits set(1); set.size() <= kMostSets; set = Bits(2 * set.size())) {
    const size_t bytes = set.size() * sizeof(cpu_set_t);
    if (call(bytes, set.data()) != 0) {
      if (errno == EINVAL) continue;
      return cores;
    }
    for (size_t core = 0; core < 8 * bytes; ++core)
      if (CPU_ISSET_S(core, bytes, set.data())) cores.push_back(static_cast<int>(core));
    return cores;
  }
  return cores;
}

CoreSet bound_cores() { return affinity_of(0); }

int physical_cores() {
  std::set<std::string> cores;
  for (const int core : bound_cores()) {
    std::ifstream file(
        fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", core));
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(core);
    cores.insert(siblings);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

CoreSet available_cores() {
  // The system cuts a request for all cores down to those of the job (cgroups). A thread of its own
  // asks, so that no other is moved.
  CoreSet permitted;
  std::thread([&] {
    Bits all(kMostSets);
    const size_t bytes = all.size() * sizeof(cpu_set_t);
    std::memset(all.data(), 0xff, bytes);
    if (sched_setaffinity(0, bytes, all.data()) == 0) permitted = affinity_of(0);
  }).join();
  const CoreSet of_launcher = affinity_of(getppid());
  CoreSet both;
  std::set_intersection(permitted.begin(), permitted.end(), of_launcher.begin(), of_launcher.end(),
                        std::back_inserter(both));
  return both;
}

std::string describe_cores(const std::vector<RankCores>& ranks) {
  const auto numbers = [](const RankCores& rank) {
    return fmt::format("{} core{}, {} thread{}", rank.bound.size(),
                       rank.bound.size() == 1 ? "" : "s", rank.threads,
                       rank.threads == 1 ? "" : "s");
  };
  std::vector<std::string> texts;
  for (const RankCores& rank : ranks) texts.push_back(numbers(rank));
  const bool equal = std::all_of(texts.begin(), texts.end(),
                                 [&](const std::string& text) { return text == texts.front(); });
  if (equal) return fmt::format("each rank may use {}", texts.front());
  std::string all;
  for (size_t i = 0; i < texts.size(); ++i)
    all += fmt::format("{}rank {}: {}", i == 0 ? "" : "; ", i, texts[i]);
  return all;
}

std::string UnusedCores::remedy() const {
  return fmt::format(
      "start mpirun with --bind-to none or --map-by numa:PE={}, or use `lynceus train --ranks N`",
      std::max<size_t>(1, available / ranks));
}

std::optional<UnusedCores> find_unused_cores(const std::vector<RankCores>& ranks) {
  struct Node {
    std::set<int> bound, available;
    size_t ranks = 0;
  };
  std::map<std::string, Node> nodes;
  for (const RankCores& rank : ranks) {
    Node& node = nodes[rank.node];
    node.bound.insert(rank.bound.begin(), rank.bound.end());
    node.available.insert(rank.available.begin(), rank.available.end());
    ++node.ranks;
  }
  for (const auto& [name, node] : nodes)
    if (node.bound.size() < node.available.size())
      return UnusedCores{name, node.ranks, node.bound.size(), node.available.size()};
  return std::nullopt;
}

std::string unused_cores(const std::vector<RankCores>& ranks) {
  const auto unused = find_unused_cores(ranks);
  if (!unused) return "";
  return fmt::format("the {} rank{} on {} {} bound to {} of the {} cores there: {}", unused->ranks,
                     unused->ranks == 1 ? "" : "s", unused->node, unused->ranks == 1 ? "is" : "are",
                     unused->bound, unused->available, unused->remedy());
}

int decode_threads(int cores, bool on_device) {
  return std::clamp(on_device ? cores - 1 : cores / kCoresPerDecoder, 1, kMostDecoders);
}

}  // namespace lynceus
