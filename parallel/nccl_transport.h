// Device tensors over NCCL.
#pragma once

#include <chrono>
#include <memory>

#include "parallel/device_transport.h"

namespace lynceus::parallel {

/// Whether this program was built with NCCL.
bool nccl_is_built();

/// Whether NCCL orders the collectives of several communicators on a device as the host submits
/// them (NCCL 2.26 with NCCL_LAUNCH_ORDER_IMPLICIT=1, which is set here unless the user has set
/// it). Without that order, ranks whose devices choose differently wait for each other for ever;
/// all communicators must then share one queue. To be called before the first communicator is made.
bool nccl_orders_launches();

/// Over NCCL, on device `device`. Collective over `host`, which outlives it; each rank has a device
/// of its own. `deadline`: how long its set-up, its groups' and its end may take. Errors:
/// UsageError "built without NCCL"; InternalError with NCCL's text.
std::unique_ptr<DeviceTransport> make_nccl_transport(Communicator& host, Device device,
                                                     std::chrono::milliseconds deadline);

}  // namespace lynceus::parallel
