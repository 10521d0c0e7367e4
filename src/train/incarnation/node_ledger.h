// Which nodes failed a run, as far as it is known: the notes of failing ranks, the nodes that Slurm
// reports as down, and the list of nodes that the next job should not get.
//
//   RUN/failures/rank-3.json   what ended rank 3; the next start moves it to incarnations.jsonl
//   RUN/excluded_nodes         "node3,node7": for `sbatch --exclude`
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "parallel/communicator.h"
#include "train/incarnation/record.h"

namespace lynceus::train {

constexpr const char* kExcludedNodesName = "excluded_nodes";
constexpr const char* kFailuresName = "failures";
constexpr int64_t kFailuresOfABadNode = 2;
constexpr double kFailuresCountSeconds = 7 * 24 * 3600;  // older ones count no longer

/// This machine, as Slurm names it (SLURMD_NODENAME), or its host name.
std::string node_name();
/// Collective: the node of each rank.
std::vector<std::string> nodes_by_rank(parallel::Communicator& world);

/// Leaves a note that `failure.rank` ended the run, and updates RUN/excluded_nodes. Any rank may
/// call it, for itself or for another one, while it fails; it does not communicate. Never throws.
void note_failure(const std::filesystem::path& run_directory, const RankFailure& failure);
/// The notes, in the order of ranks. Those that cannot be read are left out.
std::vector<RankFailure> read_failure_notes(const std::filesystem::path& run_directory);
void remove_failure_notes(const std::filesystem::path& run_directory);

/// Those of `nodes` that Slurm reports as down, drained or failing, with the state as the cause.
/// Empty if sinfo cannot be asked.
std::vector<RankFailure> nodes_out_of_service(const std::vector<std::string>& nodes);

/// The incarnations that each node failed, of those that ended within kFailuresCountSeconds before
/// `now`. Only incarnations of jobs count: a scheduler can choose other nodes.
std::map<std::string, int64_t> failures_by_node(const std::vector<Incarnation>& incarnations,
                                                double now);
/// Writes RUN/excluded_nodes, or removes it, from incarnations.jsonl and the notes; an incarnation
/// without an end and the notes belong together. Returns the nodes. IoError.
std::vector<std::string> refresh_excluded_nodes(const std::filesystem::path& run_directory);

}  // namespace lynceus::train
