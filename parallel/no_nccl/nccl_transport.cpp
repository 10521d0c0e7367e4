// A build without NCCL: device tensors are staged through host memory.
#include "parallel/nccl_transport.h"

#include "core/error.h"

namespace lynceus::parallel {

bool nccl_is_built() { return false; }
bool nccl_orders_launches() { return false; }

std::unique_ptr<DeviceTransport> make_nccl_transport(Communicator&, Device,
                                                     std::chrono::milliseconds) {
  throw UsageError("NCCL was requested, but this program was built without NCCL");
}

}  // namespace lynceus::parallel
