// Device tensors over NCCL.
#pragma once

#include <chrono>
#include <memory>

#include "parallel/device_transport.h"

namespace lynceus::parallel {

/// Whether this program was built with NCCL.
bool nccl_is_built();

/// Over NCCL, on device `device`. Collective over `host`, which outlives it; each rank has a device
/// of its own. `deadline`: how long its set-up and its end may take. Errors: UsageError "built
/// without NCCL"; InternalError with NCCL's text.
std::unique_ptr<DeviceTransport> make_nccl_transport(Communicator& host, Device device,
                                                     std::chrono::milliseconds deadline);

}  // namespace lynceus::parallel
