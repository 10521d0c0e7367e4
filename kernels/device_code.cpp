#include "kernels/device_code.h"

#include "kernels/device/device_code.h"

namespace lynceus::kernels {

std::string device_code(const Stream& stream) {
  return stream.device().is_cpu() ? "" : cuda::kDeviceCode.device_code(stream);
}

std::string lacking_device_code(const Stream& stream) {
  return stream.device().is_cpu() ? "" : cuda::kDeviceCode.lacking_device_code(stream);
}

}  // namespace lynceus::kernels
