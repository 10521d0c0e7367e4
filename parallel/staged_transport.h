// Device tensors through pinned host memory: a copy to the host, a call of the host's group, a copy
// back.
#pragma once

#include <memory>

#include "parallel/device_transport.h"

namespace lynceus::parallel {

/// For several ranks on one device and for builds without NCCL. `host` outlives it. The host waits
/// for the copy to the host and for the group; the copy back runs in the queue.
std::unique_ptr<DeviceTransport> make_staged_transport(Communicator& host, Device device);

}  // namespace lynceus::parallel
