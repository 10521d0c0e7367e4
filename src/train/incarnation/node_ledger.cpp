#include "train/incarnation/node_ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/log.h"
#include "core/process/command_output.h"
#include "core/text/utc.h"
#include "io/files/file.h"
#include "io/files/json.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

constexpr double kSinfoSeconds = 10;

/// Slurm's names of states that a healthy node does not have, in lower case.
bool is_out_of_service(const std::string& state) {
  for (const char* word : {"down", "drain", "fail", "error", "no_respond"})
    if (state.starts_with(word)) return true;
  return state.ends_with('*');  // does not answer
}

}  // namespace

std::string node_name() {
  if (const char* name = std::getenv("SLURMD_NODENAME"); name != nullptr && *name != 0) return name;
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

std::vector<std::string> nodes_by_rank(parallel::Communicator& world) {
  return world.all_gather(node_name());
}

void note_failure(const fs::path& run_directory, const RankFailure& failure) try {
  const fs::path folder = run_directory / kFailuresName;
  fs::create_directories(folder);
  const io::JsonValue note = io::JsonValue::object(
      {{"rank", failure.rank}, {"node", failure.node}, {"cause", failure.cause}});
  io::atomic_write_text(folder / fmt::format("rank-{}.json", failure.rank),
                        note.dump_replacing() + "\n");
  refresh_excluded_nodes(run_directory);
} catch (const std::exception& error) {
  log::warn("{}: no note of the failure: {}", run_directory.string(), error.what());
}

std::vector<RankFailure> read_failure_notes(const fs::path& run_directory) {
  std::vector<RankFailure> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(run_directory / kFailuresName, none)) try {
      if (entry.path().extension() != ".json") continue;
      const io::Json note = io::Json::read(entry.path());
      found.push_back(
          {note.at("rank").integer(), note.at("node").string(), note.at("cause").string()});
    } catch (const Error& error) {
      log::warn("a note of a failure is left out: {}", error.what());
    }
  std::sort(found.begin(), found.end(),
            [](const RankFailure& a, const RankFailure& b) { return a.rank < b.rank; });
  return found;
}

void remove_failure_notes(const fs::path& run_directory) {
  std::error_code ignored;
  fs::remove_all(run_directory / kFailuresName, ignored);
}

std::vector<RankFailure> nodes_out_of_service(const std::vector<std::string>& nodes) {
  const auto output = command_output(
      {"sinfo", "-h", "-N", "-o", "%N %T", "-n", fmt::format("{}", fmt::join(nodes, ","))},
      kSinfoSeconds);
  std::vector<RankFailure> found;
  std::set<std::string> seen;  // a node has a line for each of its partitions
  std::istringstream lines(output.value_or(""));
  for (std::string node, state; lines >> node >> state;)
    if (is_out_of_service(state) && seen.insert(node).second)
      found.push_back({-1, node, fmt::format("the node is {}", state)});
  return found;
}

std::map<std::string, int64_t> failures_by_node(const std::vector<Incarnation>& incarnations,
                                                double now) {
  std::map<std::string, int64_t> counts;
  for (const Incarnation& incarnation : incarnations) {
    if (incarnation.job.empty() || !incarnation.ended) continue;
    if (now - incarnation.ended->end > kFailuresCountSeconds) continue;
    std::set<std::string> nodes;
    for (const RankFailure& failure : incarnation.ended->failures)
      if (!failure.node.empty()) nodes.insert(failure.node);
    for (const std::string& node : nodes) ++counts[node];
  }
  return counts;
}

std::vector<std::string> refresh_excluded_nodes(const fs::path& run_directory) {
  std::vector<Incarnation> incarnations = read_incarnations(run_directory);
  const double now = unix_now();
  if (!incarnations.empty() && !incarnations.back().ended) {
    IncarnationEnd end;
    end.end = now;
    end.failures = read_failure_notes(run_directory);
    incarnations.back().ended = end;
  }
  std::vector<std::string> excluded;
  for (const auto& [node, failures] : failures_by_node(incarnations, now))
    if (failures >= kFailuresOfABadNode) excluded.push_back(node);
  const fs::path path = run_directory / kExcludedNodesName;
  if (!excluded.empty())
    io::atomic_write_text(path, fmt::format("{}\n", fmt::join(excluded, ",")));
  else if (io::file_exists(path))
    fs::remove(path);
  return excluded;
}

}  // namespace lynceus::train
