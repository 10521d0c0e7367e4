// The cores of its node that a rank may use: they set the number of threads for its arithmetic and
// for decoding images.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lynceus {

/// A rank's share of a node: the cores that the launcher bound it to, but at most the node's cores
/// divided by the ranks on it, since a launcher may bind several ranks to one socket. At least 1.
int cores_of_rank(int allowed, int node_cores, int ranks_on_node);
/// The same for this process, from its affinity and set_ranks_on_node().
int cores_of_this_rank();
/// Ranks on this node; 1 until it is set, once, at the start.
void set_ranks_on_node(int ranks);

/// Numbers of cores, in order.
using CoreSet = std::vector<int>;
/// As sched_getaffinity: fills `bits`, or fails with EINVAL if the system knows more cores.
using AffinityCall = std::function<int(size_t bytes, void* bits)>;
/// The cores that `call` reports, on machines of any size; empty if it fails.
CoreSet read_affinity(const AffinityCall& call);
/// The cores that this process is bound to.
CoreSet bound_cores();
/// The number of those, without the second threads of a core; at least 1.
int physical_cores();
/// The cores that this process could be bound to: those of the launcher, its parent, that the
/// system lets this process use. A job may have less than the node.
CoreSet available_cores();

/// One rank as the log describes it.
struct RankCores {
  std::string node;
  CoreSet bound, available;
  int threads = 1;
};
/// The cores and threads of the ranks, one line for equal ranks: "each rank may use 2 cores, 2
/// threads".
std::string describe_cores(const std::vector<RankCores>& ranks);
/// A node whose ranks together are bound to fewer cores than are available there.
struct UnusedCores {
  std::string node;
  size_t ranks = 0, bound = 0, available = 0;
  /// "start mpirun with --bind-to none or --map-by numa:PE=8, or use `lynceus train --ranks N`".
  std::string remedy() const;
};
/// The first such node; nullopt: there is none.
std::optional<UnusedCores> find_unused_cores(const std::vector<RankCores>& ranks);
/// The same as a warning; empty: there is none. Names the option that helps.
std::string unused_cores(const std::vector<RankCores>& ranks);

/// Threads that decode images for a rank. On CPUs, where a step takes much longer than decoding its
/// images, one for every eight cores; with a device, all cores except the one that drives it.
/// 1 to 8.
int decode_threads(int cores, bool on_device);

}  // namespace lynceus
