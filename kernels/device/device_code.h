// CPUs need no code of their own: main.cpp checks their instructions.
#pragma once

#include "kernels/device/kernel.h"
#include "kernels/device_code.h"

namespace lynceus::kernels {

struct DeviceCodeKernels {
  Kernel<decltype(kernels::device_code)> device_code;
  Kernel<decltype(kernels::lacking_device_code)> lacking_device_code;
};

namespace cuda {
extern const DeviceCodeKernels kDeviceCode;
}

}  // namespace lynceus::kernels
