#include "doctor/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/text/units.h"
#include "doctor/limits.h"
#include "train/incarnation/summary.h"

namespace lynceus::doctor {
namespace {

namespace fs = std::filesystem;

constexpr double kNarrow = 0.9;          // of a limit: libraries and the file cache need some too
constexpr int64_t kNoLimit = 1LL << 60;  // cgroup v1 writes a huge number for "not limited"

std::string size_text(int64_t bytes) { return bytes_text(static_cast<uint64_t>(bytes)); }

std::optional<int64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  int64_t bytes = 0;
  if (!(in >> bytes) || bytes <= 0 || bytes >= kNoLimit) return std::nullopt;
  return bytes;
}

/// The limits in the files `name` of `folder` and of the folders above it, up to `root`.
std::optional<int64_t> smallest_above(const fs::path& root, const fs::path& folder,
                                      const char* name) {
  std::optional<int64_t> smallest;
  for (fs::path at = folder;; at = at.parent_path()) {
    const auto limit = number_in(at / name);
    if (limit && (!smallest || *limit < *smallest)) smallest = limit;
    if (at == root || at.parent_path() == at) return smallest;
  }
}

/// kB in /proc/meminfo, as bytes; 0: not there.
int64_t memory_info(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;) {
    int64_t kib = 0;
    if (word == key + ":" && file >> kib) return 1024 * kib;
  }
  return 0;
}

struct NodeLimit {
  int64_t bytes = 0;
  const char* source = "";
};

/// The smallest limit of a node: of the machine, or of the job there.
NodeLimit limit_of(const Facts& facts) {
  NodeLimit limit{number_of(facts, "memory.machine"), "the machine's memory"};
  for (const auto& [key, source] : {std::pair{"memory.group", "the control group's limit"},
                                    std::pair{"memory.slurm", "the job's --mem"}})
    if (const int64_t bytes = number_of(facts, key);
        bytes > 0 && (limit.bytes == 0 || bytes < limit.bytes))
      limit = {bytes, source};
  return limit;
}

}  // namespace

std::optional<int64_t> cgroup_limit(const fs::path& root, const fs::path& membership) {
  std::optional<int64_t> smallest;
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);) {
    // v2: "0::/system.slice/job"; v1: "9:memory:/slurm/job_4".
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path relative = fs::path(line.substr(second + 1)).relative_path();
    std::optional<int64_t> limit;
    if (controllers.empty())
      limit = smallest_above(root, (root / relative).lexically_normal(), "memory.max");
    else if (controllers.find("memory") != std::string::npos)
      limit = smallest_above(root / "memory", (root / "memory" / relative).lexically_normal(),
                             "memory.limit_in_bytes");
    if (limit && (!smallest || *limit < *smallest)) smallest = limit;
  }
  return smallest;
}

void collect_memory(Facts* facts) {
  (*facts)["memory.machine"] = std::to_string(memory_info("MemTotal"));
  (*facts)["memory.available"] = std::to_string(memory_info("MemAvailable"));
  (*facts)["memory.group"] = std::to_string(cgroup_limit().value_or(0));
  (*facts)["memory.slurm"] =
      std::to_string(train::requested_resources(std::nullopt, 0).node_memory_bytes.value_or(0));
  (*facts)["memory.process"] = std::to_string(read_limits().address_space.value_or(0));
}

CheckResults check_memory(const std::vector<Facts>& ranks, const std::vector<int64_t>& needed) {
  constexpr const char* kCheck = "limits.memory";
  constexpr const char* kRemedy =
      "ask for more (--mem, or more nodes), raise parallel.tensor or parallel.pipeline, lower "
      "train.micro_batch_tokens, or use --train.recompute layer";
  CheckResults findings;
  std::string measured;
  for (const auto& [node, there] : ranks_by_node(ranks)) {
    const NodeLimit limit = limit_of(ranks[static_cast<size_t>(there.front())]);
    int64_t sum = 0;
    for (const int rank : there) sum += needed[static_cast<size_t>(rank)];
    if (measured.empty())
      measured = sum == 0 ? fmt::format("{} a node ({})", size_text(limit.bytes), limit.source)
                          : fmt::format("at least {} of {} a node ({})", size_text(sum),
                                        size_text(limit.bytes), limit.source);
    const auto bytes = static_cast<double>(limit.bytes);
    if (limit.bytes == 0 || static_cast<double>(sum) <= kNarrow * bytes) continue;
    findings.push_back(judged(kCheck, sum > limit.bytes ? Verdict::kCritical : Verdict::kWarning,
                              fmt::format("the ranks on {} need at least {}", node, size_text(sum)),
                              fmt::format("at most {:.0f} % of {} ({})", 100 * kNarrow,
                                          size_text(limit.bytes), limit.source),
                              kRemedy));
    break;
  }
  for (size_t rank = 0; rank < ranks.size() && findings.empty(); ++rank) {
    const int64_t limit = number_of(ranks[rank], "memory.process");
    if (limit == 0 || needed[rank] <= limit) continue;
    findings.push_back(
        judged(kCheck, Verdict::kCritical,
               fmt::format("rank {} needs at least {}", rank, size_text(needed[rank])),
               fmt::format("at most {} (ulimit -v)", size_text(limit)), kRemedy));
  }
  if (findings.empty()) findings.push_back(passed(kCheck, measured));
  return findings;
}

}  // namespace lynceus::doctor
