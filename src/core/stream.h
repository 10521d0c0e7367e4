// A queue of work on a device, with the memory pool its tensors come from. On CPUs work runs at
// once, on the calling thread and its OpenMP team.
#pragma once

#include <memory>

#include "core/device.h"
#include "core/memory.h"

namespace lynceus {

class Stream {
 public:
  explicit Stream(Device device = {})
      : device_(device), pool_(std::make_shared<MemoryPool>(device)) {}

  Device device() const { return device_; }
  /// Shared with every tensor made on this stream: tensors may outlive it.
  const std::shared_ptr<MemoryPool>& pool() const { return pool_; }

 private:
  Device device_;
  std::shared_ptr<MemoryPool> pool_;
};

}  // namespace lynceus
