// The calls of the CUDA runtime that core/cuda makes, on host memory.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "runtime.h"

using lynceus::standin::fail;
using lynceus::standin::locked;
using lynceus::standin::runtime;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = static_cast<int>(lynceus::standin::from_environment("LYNCEUS_STANDIN_DEVICES", 1));
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device) {
  int count = 0;
  cudaGetDeviceCount(&count);
  return device >= 0 && device < count ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  *properties = {};
  properties->uuid.bytes[0] = static_cast<char>(index + 1);  // the same device in every process
  std::strcpy(properties->name, "host stand-in");
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
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
  if (flags != cudaStreamNonBlocking || priority > 0 || priority < -5)
    fail("a stream of unknown kind");
  const auto lock = locked();
  *stream = runtime().make_stream();
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const auto lock = locked();
  runtime().destroy(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const auto lock = locked();
  runtime().drain(runtime().check(stream));
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const auto lock = locked();
  if (runtime().check(stream)->work.empty()) return cudaSuccess;
  runtime().progress();
  return stream->work.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  if (flags != 0) fail("a wait of unknown kind");
  const auto lock = locked();
  if (event->moment != nullptr) runtime().push_wait(stream, event->moment);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (flags != cudaEventDefault && flags != cudaEventDisableTiming)
    fail("an event of unknown kind");
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const auto lock = locked();
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
  const auto lock = locked();
  if (event->moment == nullptr || *event->moment) return cudaSuccess;
  runtime().progress();
  return *event->moment ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const auto lock = locked();
  if (event->moment != nullptr) runtime().run_until(event->moment);
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const auto lock = locked();
  for (const cudaEvent_t event : {begin, end}) {
    if (event->moment == nullptr) return cudaErrorInvalidResourceHandle;
    if (!*event->moment) return cudaErrorNotReady;
  }
  *milliseconds = static_cast<float>(*end->milliseconds - *begin->milliseconds);
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t stream) {
  const auto lock = locked();
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
  const auto lock = locked();
  runtime().free(stream, data);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned flags) {
  if (flags != cudaHostAllocPortable) fail("host memory of unknown kind");
  const auto lock = locked();
  *data = std::aligned_alloc(256, (std::max<size_t>(bytes, 1) + 255) / 256 * 256);
  runtime().pinned.insert(*data);
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  const auto lock = locked();
  if (runtime().pinned.erase(data) == 0) fail("host memory is freed that was not pinned");
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (kind != cudaMemcpyDefault) fail("a copy of a kind that nobody asks for here");
  const auto lock = locked();
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
  const auto lock = locked();
  runtime().push(stream, [=] { std::memset(target, value, bytes); });
  return cudaSuccess;
}

}  // extern "C"
