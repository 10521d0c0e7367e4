// DeviceTransport: how the device tensors of one group travel. The calls mean what those of
// Communicator mean; every one stands in the queue it is given, and the host may or may not wait.
// Used by DeviceCommunicator, which checks the tensors and orders the queues.
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "parallel/communicator.h"

namespace lynceus::parallel {

class DeviceTransport {
 public:
  DeviceTransport() = default;
  virtual ~DeviceTransport() = default;
  DeviceTransport(const DeviceTransport&) = delete;
  DeviceTransport& operator=(const DeviceTransport&) = delete;

  virtual void all_reduce(const Tensor& x, ReduceOp op, const accelerator::Queue& queue) = 0;
  virtual void all_gather(const Tensor& x, const Tensor& y, const accelerator::Queue& queue) = 0;
  virtual void reduce_scatter(const Tensor& x, const Tensor& y,
                              const accelerator::Queue& queue) = 0;
  virtual void broadcast(const Tensor& x, int root, const accelerator::Queue& queue) = 0;
  /// No empty tensors; peers are ranks of the group.
  virtual void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives,
                        const accelerator::Queue& queue) = 0;

  /// Throws what has gone wrong meanwhile, here or on another rank.
  virtual void check() {}
  /// Ends what is on its way, so that nobody waits for it; no other call follows.
  virtual void abort() noexcept {}
};

/// Through pinned host memory and the host's group, which outlives it: for several ranks on one
/// device and for builds without NCCL.
std::unique_ptr<DeviceTransport> make_staged_transport(Communicator& host, Device device);

/// Whether NCCL is in the build.
bool nccl_is_built();

/// Over NCCL, on device `device`. Collective over the host's group, which outlives it; each rank
/// has a device of its own. Errors: UsageError "built without NCCL"; InternalError with NCCL's
/// words. `deadline`: how long setting up and ending it may take.
std::unique_ptr<DeviceTransport> make_nccl_transport(Communicator& host, Device device,
                                                     std::chrono::milliseconds deadline);

}  // namespace lynceus::parallel
