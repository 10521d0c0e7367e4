// The groups of a grid that computes on a device: host tensors travel by MPI, device tensors by
// NCCL or staged through host memory, in the order of the compute stream. Used by Grid.
//
// Device collectives have a queue of their own beside the compute stream, each waiting for what was
// given to the stream before it; the stream waits for each in turn (all_reduce) or when it is told
// to (Pending::wait), the host never. While the host waits for the stream, the communicator looks
// whether the other ranks still answer: an error of NCCL, or a collective that has been under way
// for longer than the deadline, is thrown from there as InternalError naming the collective and the
// rank, once everything on its way has been ended. The communicator takes no other calls then.
#pragma once

#include <chrono>

#include "parallel/communicator.h"

namespace lynceus::parallel {

enum class Transport {
  kAuto,  ///< NCCL where it is in the build and every rank has a device of its own, else staged
  kNccl,
  kStaged
};

struct DeviceOptions {
  Transport transport = Transport::kAuto;
  /// A queue beside the compute stream for collectives; without it they stand in the stream itself.
  bool own_queue = true;
  /// For one collective, from when this rank takes part to when it is done.
  std::chrono::milliseconds deadline = std::chrono::minutes(10);
};

/// What kAuto is for the ranks of this world, which compute on one kind of device: kNccl or
/// kStaged; kNccl and kStaged are themselves. Collective. Errors, the same on every rank:
/// UsageError where NCCL was asked for and cannot be.
Transport choose_transport(Communicator& world, Device device, Transport wanted);

/// Takes over `host`, a group over MPI, and lets it move tensors of the compute stream's device
/// too. Collective over the group; transport must have been chosen. `name` ("tensor") is for
/// messages. A group of one, or one that computes on CPUs, is `host` itself.
std::unique_ptr<Communicator> make_device_communicator(std::unique_ptr<Communicator> host,
                                                       const Stream& compute,
                                                       const DeviceOptions& options,
                                                       const std::string& name);

}  // namespace lynceus::parallel
