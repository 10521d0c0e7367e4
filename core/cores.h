// The cores of its node that a rank may use: they set the number of threads for its arithmetic and
// for decoding images.
#pragma once

namespace lynceus {

/// A rank's share of a node: the cores that the launcher bound it to, but at most the node's cores
/// divided by the ranks on it, since a launcher may bind several ranks to one socket. At least 1.
int cores_of_rank(int allowed, int node_cores, int ranks_on_node);
/// The same for this process, from its affinity and the launcher's number of ranks on the node.
int cores_of_this_rank();

/// Threads that decode images for a rank. On CPUs, where a step takes much longer than decoding its
/// images, one for every eight cores; with a device, all cores except the one that drives it.
/// 1 to 8.
int decode_threads(int cores, bool on_device);

}  // namespace lynceus
