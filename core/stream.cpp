#include "core/stream.h"

namespace lynceus {

Stream::Stream(Device device, accelerator::Priority priority)
    : pool_(std::make_shared<MemoryPool>(device, priority)) {}

Stream Stream::host() const {
  Stream stream;
  if (device().kind == DeviceKind::kCuda) stream.pool_->pin_inputs_for(device().index);
  return stream;
}

}  // namespace lynceus
