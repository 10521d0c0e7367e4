// The groups of a grid that computes on a device: host tensors travel by MPI, device tensors by
// NCCL or staged through host memory, in the order of the compute stream.
//
// Device collectives of a group run in a queue of its own, before other work of the device; where
// NCCL does not keep the host's order among groups, in one queue of all. Each waits for the work
// submitted to the compute stream before it; the stream waits for each at once (all_reduce) or at
// Pending::wait; the host never waits. While the host waits for the stream, the communicator checks
// the collectives in flight: if NCCL reports an error or a collective exceeds the deadline, it ends
// all of them and throws InternalError naming the collective and the rank. It accepts no calls
// after that.
#pragma once

#include <chrono>

#include "parallel/communicator.h"

namespace lynceus::parallel {

enum class Transport {
  kAuto,  ///< NCCL if it is in the build and every rank has a device of its own, else staged
  kNccl,
  kStaged
};

struct DeviceOptions {
  Transport transport = Transport::kAuto;
  /// A queue of their own for collectives; otherwise they run in the compute stream.
  bool own_queue = true;
  /// For one collective, from the moment when this rank takes part.
  std::chrono::milliseconds deadline = std::chrono::minutes(10);
  /// The queue of all groups; null: see own_queue.
  accelerator::Queue shared_queue;
};

/// Collective. The transport that kAuto means for the ranks of this world, which compute on one
/// kind of device; kNccl and kStaged are returned unchanged. Errors, the same on every rank:
/// UsageError if NCCL was requested and cannot be used.
Transport choose_transport(Communicator& world, Device device, Transport wanted);

/// Collective over `host`, the world over MPI, which it takes ownership of. The result also moves
/// tensors of the compute stream's device. options.transport must have been chosen. For a world of
/// one, or one that computes on CPUs, returns `host` itself.
std::unique_ptr<Communicator> make_device_world(std::unique_ptr<Communicator> host,
                                                const Stream& compute,
                                                const DeviceOptions& options);

/// Collective over `world`, a result of make_device_world, which outlives it: the ranks with the
/// same `color`, ordered by `key`. NCCL's groups share the resources of the world's. `name`
/// ("tensor") is for messages.
std::unique_ptr<Communicator> split_device_world(Communicator& world, int color, int key,
                                                 const std::string& name);

}  // namespace lynceus::parallel
