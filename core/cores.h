// How many cores of its node a rank may use: the threads of its arithmetic and those that decode
// pictures are sized by it. Used by the commands and by the trainer.
#pragma once

namespace lynceus {

/// A rank's share of a node: what the launcher bound it to, and no more than the node's cores
/// divided by the ranks on it, since a launcher may bind several ranks to one socket. 1 at least.
int cores_of_rank(int allowed, int node_cores, int ranks_on_node);
/// The same for this process, by its affinity and its launcher's word on the ranks beside it.
int cores_of_this_rank();

/// Threads that decode pictures for a rank. On CPUs, where a step is long beside the decoding of
/// its pictures, one for every eight cores; where a device computes, all cores but the one that
/// drives it. 1 to 8.
int decode_threads(int cores, bool on_device);

}  // namespace lynceus
