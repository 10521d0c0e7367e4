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
                  accelerator::Priority priority = accelerator::Priority::kNormal);
  /// A stream of the host, for what this stream's device reads: its inputs (MemoryOwner::kInput)
  /// are in pinned memory, from which copies run while the host continues (Tensor::copy_from).
  Stream host() const;

  Device device() const { return pool_->device(); }
  /// Shared with every tensor made on this stream: tensors may outlive it.
  const std::shared_ptr<MemoryPool>& pool() const { return pool_; }
  /// The device runtime's own handle (cudaStream_t); null on CPUs.
  void* native() const { return pool_->queue().get(); }
  /// Returns when all work submitted to the stream is done.
  void synchronize() const { pool_->synchronize(); }

 private:
  std::shared_ptr<MemoryPool> pool_;
};

}  // namespace lynceus
