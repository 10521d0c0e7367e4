// DeviceTransport: how the device tensors of one group travel. The calls have the meaning of those
// of Communicator; each runs in the queue passed to it, and the host may or may not wait. The
// arguments have been checked, and no tensor is empty.
#pragma once

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
  virtual void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives,
                        const accelerator::Queue& queue) = 0;

  /// Collective over this transport's ranks: that of the ranks with the same `color`, ordered as in
  /// `group`, which has them and outlives it. Null where the group has one rank.
  virtual std::unique_ptr<DeviceTransport> split(int color, Communicator& group) = 0;

  /// Throws if a collective in flight has failed, here or on another rank.
  virtual void check() {}
  /// Ends the collectives in flight, so that no rank waits for them; no other call follows.
  virtual void abort() noexcept {}
};

}  // namespace lynceus::parallel
