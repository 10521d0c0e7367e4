// The calls of the CUDA runtime that core/cuda makes, on host memory.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "runtime.h"

using lynceus::standin::counts;
using lynceus::standin::fail;
using lynceus::standin::locked;
using lynceus::standin::require_device;
using lynceus::standin::runtime;

namespace {

thread_local int current_device = -1;  // none was chosen: the runtime would open a context on 0

}  // namespace

void lynceus::standin::require_device(const char* call) {
  if (current_device < 0)
    fail(std::string(call) + " on a thread that never chose a device opens a context on device 0");
}

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  if (const auto error = lynceus::standin::from_environment("LYNCEUS_STANDIN_ERROR", 0); error != 0)
    return static_cast<cudaError_t>(error);
  *count = static_cast<int>(lynceus::standin::from_environment("LYNCEUS_STANDIN_DEVICES", 1));
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device) {
  int count = 0;
  cudaGetDeviceCount(&count);
  if (device < 0 || device >= count) return cudaErrorInvalidDevice;
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  require_device("cudaGetDevice");
  *device = current_device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  *properties = {};
  properties->uuid.bytes[0] = static_cast<char>(index + 1);  // the same device in every process
  std::strcpy(properties->name, "host stand-in");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char* address, int size, int index) {
  std::snprintf(address, static_cast<size_t>(size), "FFFF:%02X:00.0", index);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  if (attribute == cudaDevAttrComputeCapabilityMajor)
    *value = 9;
  else if (attribute == cudaDevAttrComputeCapabilityMinor)
    *value = 0;
  else
    fail("an unknown attribute of a device");
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  require_device("cudaFuncGetAttributes");
  *attributes = {};
  const bool lacks = lynceus::standin::from_environment("LYNCEUS_STANDIN_NO_CODE", 0) != 0;
  return lacks ? cudaErrorNoKernelImageForDevice : cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  require_device("cudaMemGetInfo");
  const auto lock = locked();
  *total = lynceus::standin::DeviceMemory::limit();
  *free = *total - runtime().memory.held();
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorSystemNotReady:
      return "system not yet initialized";
    case cudaErrorNoKernelImageForDevice:
      return "no kernel image is available for execution on the device";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    default:
      return "an error of the stand-in";
  }
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr attribute, void*) {
  if (attribute != cudaMemPoolAttrReleaseThreshold) fail("an unknown attribute of a pool");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  require_device("cudaStreamCreateWithPriority");
  if (flags != cudaStreamNonBlocking || priority > 0 || priority < -5)
    fail("a stream of unknown kind");
  const auto lock = locked();
  *stream = runtime().make_stream();
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  require_device("cudaStreamDestroy");
  const auto lock = locked();
  runtime().destroy(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  require_device("cudaStreamSynchronize");
  const auto lock = locked();
  ++counts().waits;
  runtime().drain(runtime().check(stream));
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  require_device("cudaStreamQuery");
  const auto lock = locked();
  if (runtime().check(stream)->work.empty()) return cudaSuccess;
  runtime().progress();
  return stream->work.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  require_device("cudaStreamWaitEvent");
  if (flags != 0) fail("a wait of unknown kind");
  const auto lock = locked();
  if (event->moment != nullptr) runtime().push_wait(stream, event->moment);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  require_device("cudaEventCreateWithFlags");
  if (flags != cudaEventDefault && flags != cudaEventDisableTiming)
    fail("an event of unknown kind");
  const auto lock = locked();
  ++counts().events_made;
  *event = new CUevent_st{nullptr, nullptr, flags == cudaEventDefault};
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  require_device("cudaEventDestroy");
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  require_device("cudaEventRecord");
  const auto lock = locked();
  ++counts().events;
  const auto moment = std::make_shared<bool>(false);
  const auto milliseconds = std::make_shared<double>();
  event->moment = moment;
  event->milliseconds = milliseconds;
  runtime().push(stream, [moment, milliseconds] {
    *milliseconds = runtime().clock;
    *moment = true;
  });
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  require_device("cudaEventQuery");
  const auto lock = locked();
  if (event->moment == nullptr || *event->moment) return cudaSuccess;
  runtime().progress();
  return *event->moment ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  require_device("cudaEventSynchronize");
  const auto lock = locked();
  ++counts().waits;
  if (event->moment != nullptr) runtime().run_until(event->moment);
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  require_device("cudaEventElapsedTime");
  const auto lock = locked();
  for (const cudaEvent_t event : {begin, end}) {
    if (event->moment == nullptr || !event->times) return cudaErrorInvalidResourceHandle;
    if (!*event->moment) return cudaErrorNotReady;
  }
  *milliseconds = static_cast<float>(*end->milliseconds - *begin->milliseconds);
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t stream) {
  require_device("cudaMallocAsync");
  const auto lock = locked();
  ++counts().allocations;
  runtime().check(stream);
  *data = runtime().memory.allocate(bytes);
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  // The memory belongs to the caller when the stream reaches this point: values that another stream
  // writes earlier, without a wait, are overwritten here.
  runtime().push(stream,
                 [block = *data, bytes] { lynceus::standin::DeviceMemory::poison(block, bytes); });
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  require_device("cudaFreeAsync");
  const auto lock = locked();
  runtime().free(stream, data);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned flags) {
  require_device("cudaHostAlloc");
  if (flags != cudaHostAllocPortable) fail("host memory of unknown kind");
  const auto lock = locked();
  *data = std::aligned_alloc(256, (std::max<size_t>(bytes, 1) + 255) / 256 * 256);
  runtime().pinned.insert(*data);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  require_device("cudaFreeHost");
  const auto lock = locked();
  if (runtime().pinned.erase(data) == 0) fail("host memory is freed that was not pinned");
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  require_device("cudaMemcpyAsync");
  if (kind != cudaMemcpyDefault) fail("a copy of a kind that nobody asks for here");
  const auto lock = locked();
  ++counts().copies;
  const bool pageable = !runtime().memory.contains(source) && !runtime().pinned.contains(source);
  if (!pageable) {
    runtime().push(stream, [=] {
      runtime().memory.check_not_freed(source);
      runtime().memory.check_not_freed(target);
      std::memcpy(target, source, bytes);
    });
    return cudaSuccess;
  }
  // Pageable host memory has been read when the call returns.
  const auto* const begin = static_cast<const unsigned char*>(source);
  auto taken = std::make_shared<std::vector<unsigned char>>(begin, begin + bytes);
  runtime().push(stream, [=] {
    runtime().memory.check_not_freed(target);
    std::memcpy(target, taken->data(), bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  require_device("cudaMemsetAsync");
  const auto lock = locked();
  ++counts().copies;
  runtime().push(stream, [=] { std::memset(target, value, bytes); });
  return cudaSuccess;
}

}  // extern "C"
