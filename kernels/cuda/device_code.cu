// Asks the runtime for one kernel: without this the first launch would fail, after the weights are
// loaded.
#include "kernels/device/device_code.h"

#include "core/accelerator.h"
#include "core/cuda/cuda_call.h"
#include "kernels/cuda/device_math.h"

namespace lynceus::kernels::cuda {
namespace {

__global__ void probe() {}

int attribute(const Stream& stream, cudaDeviceAttr name) {
  int value = 0;
  LYNCEUS_CUDA(cudaDeviceGetAttribute(&value, name, stream.device().index));
  return value;
}

std::string device_code(const Stream& stream) {
  return fmt::format("compute capability {}.{}, built for {}",
                     attribute(stream, cudaDevAttrComputeCapabilityMajor),
                     attribute(stream, cudaDevAttrComputeCapabilityMinor),
                     accelerator::architectures());
}

std::string lacking_device_code(const Stream& stream) {
  cudaFuncAttributes found = {};
  const cudaError_t status = cudaFuncGetAttributes(&found, reinterpret_cast<const void*>(&probe));
  if (status == cudaSuccess) return {};
  static_cast<void>(cudaGetLastError());
  return fmt::format("{}: {} (CMake's LYNCEUS_CUDA_ARCHITECTURES)", cudaGetErrorString(status),
                     device_code(stream));
}

}  // namespace

const DeviceCodeKernels kDeviceCode = {.device_code = device_code,
                                       .lacking_device_code = lacking_device_code};

}  // namespace lynceus::kernels::cuda
