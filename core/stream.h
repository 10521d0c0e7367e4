// A queue of work on a device, with the memory pool its tensors come from. On CPUs work runs at
// once, on the calling thread and its OpenMP team.
#pragma once

#include <memory>

#include "core/device.h"
#include "core/memory.h"

namespace lynceus {

class Stream {
 public:
  explicit Stream(Device device = {},
                  accelerator::Priority priority = accelerator::Priority::kNormal)
      : pool_(std::make_shared<MemoryPool>(device, priority)) {}
  /// Of the host, for what this stream's device reads: its inputs (MemoryOwner::kInput) lie in
  /// pinned memory, from which copies run while the host goes on (Tensor::copy_from).
  Stream host() const {
    Stream stream;
    if (device().kind == DeviceKind::kCuda) stream.pool_->pin_inputs_for(device().index);
    return stream;
  }

  Device device() const { return pool_->device(); }
  /// Shared with every tensor made on this stream: tensors may outlive it.
  const std::shared_ptr<MemoryPool>& pool() const { return pool_; }
  /// The device runtime's own handle (cudaStream_t); null on CPUs.
  void* native() const { return pool_->queue().get(); }
  /// Returns when all work given to the stream is done.
  void synchronize() const { pool_->synchronize(); }

 private:
  std::shared_ptr<MemoryPool> pool_;
};

}  // namespace lynceus
