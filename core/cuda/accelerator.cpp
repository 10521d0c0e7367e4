// The accelerator over the CUDA runtime: streams, the device's stream-ordered memory pool, events.
#include "core/accelerator.h"

#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>

#include "core/cuda/cuda_call.h"

namespace lynceus::accelerator {
namespace {

cudaStream_t stream_of(const Queue& queue) { return static_cast<cudaStream_t>(queue.get()); }
cudaEvent_t event_of(const Event& event) { return static_cast<cudaEvent_t>(event.handle.get()); }

/// The pool keeps freed memory: returning pages to the driver would stall every step.
void keep_freed_memory(int index) {
  cudaMemPool_t pool = nullptr;
  LYNCEUS_CUDA(cudaDeviceGetDefaultMemPool(&pool, index));
  uint64_t threshold = ~uint64_t{0};
  LYNCEUS_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
}

/// For the status of an event or a queue: cudaErrorNotReady is no failure.
bool is_done(cudaError_t status) {
  if (status == cudaErrorNotReady) {
    static_cast<void>(cudaGetLastError());  // else the next launch reports it as its own
    return false;
  }
  LYNCEUS_CUDA(status);
  return true;
}

cudaError_t count_devices(int* count) {
  *count = 0;
  const cudaError_t status = cudaGetDeviceCount(count);
  if (status == cudaSuccess) return status;
  *count = 0;  // undefined after a failure
  static_cast<void>(cudaGetLastError());
  return status;
}

}  // namespace

bool is_built() { return true; }

int device_count() {
  int count = 0;
  count_devices(&count);
  return count;
}

std::string why_no_device() {
  int count = 0;
  const cudaError_t status = count_devices(&count);
  return status == cudaSuccess ? "no device is visible" : cudaGetErrorString(status);
}

std::string device_name(int index) {
  cudaDeviceProp properties;
  LYNCEUS_CUDA(cudaGetDeviceProperties(&properties, index));
  return properties.name;
}

std::string device_identity(int index) {
  cudaDeviceProp properties;
  LYNCEUS_CUDA(cudaGetDeviceProperties(&properties, index));
  std::string identity;
  for (const char byte : properties.uuid.bytes)
    identity += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return identity;
}

size_t free_bytes(int index) {
  LYNCEUS_CUDA(cudaSetDevice(index));
  size_t free = 0, total = 0;
  LYNCEUS_CUDA(cudaMemGetInfo(&free, &total));
  return free;
}

Queue make_queue(int index, Priority priority) {
  LYNCEUS_CUDA(cudaSetDevice(index));
  keep_freed_memory(index);
  int least = 0, greatest = 0;
  LYNCEUS_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  // Only low must differ from normal.
  const int level = priority == Priority::kLow ? least : greatest;
  cudaStream_t stream = nullptr;
  LYNCEUS_CUDA(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, level));
  return {stream, [](void* handle) { cudaStreamDestroy(static_cast<cudaStream_t>(handle)); }};
}

void synchronize(const Queue& queue) { LYNCEUS_CUDA(cudaStreamSynchronize(stream_of(queue))); }
bool is_done(const Queue& queue) { return is_done(cudaStreamQuery(stream_of(queue))); }

Event record(const Queue& queue) {
  cudaEvent_t handle = nullptr;
  LYNCEUS_CUDA(cudaEventCreateWithFlags(&handle, cudaEventDefault));
  const Event event{{handle, [](void* made) { cudaEventDestroy(static_cast<cudaEvent_t>(made)); }}};
  LYNCEUS_CUDA(cudaEventRecord(handle, stream_of(queue)));
  return event;
}

void wait(const Queue& queue, const Event& event) {
  LYNCEUS_CUDA(cudaStreamWaitEvent(stream_of(queue), event_of(event), 0));
}

void synchronize(const Event& event) { LYNCEUS_CUDA(cudaEventSynchronize(event_of(event))); }
bool is_done(const Event& event) { return is_done(cudaEventQuery(event_of(event))); }

double milliseconds_between(const Event& begin, const Event& end) {
  float milliseconds = 0;
  LYNCEUS_CUDA(cudaEventElapsedTime(&milliseconds, event_of(begin), event_of(end)));
  return static_cast<double>(milliseconds);
}

void* allocate(const Queue& queue, size_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaMallocAsync(&data, bytes, stream_of(queue));
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  LYNCEUS_CUDA(status);
  return data;
}

void release(const Queue& queue, void* data) { cudaFreeAsync(data, stream_of(queue)); }

void* allocate_pinned(int index, size_t bytes) {
  // On every calling thread: the default device would get a context, with memory of its own.
  LYNCEUS_CUDA(cudaSetDevice(index));
  void* data = nullptr;
  const cudaError_t status = cudaHostAlloc(&data, bytes, cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  LYNCEUS_CUDA(status);
  return data;
}

void release_pinned(void* data) { cudaFreeHost(data); }

void copy(const Queue& queue, void* target, const void* source, size_t bytes) {
  LYNCEUS_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDefault, stream_of(queue)));
}

void fill_zero(const Queue& queue, void* target, size_t bytes) {
  LYNCEUS_CUDA(cudaMemsetAsync(target, 0, bytes, stream_of(queue)));
}

bool begin_range(const char* name) {
  nvtxRangePushA(name);
  return true;
}

void end_range() { nvtxRangePop(); }

}  // namespace lynceus::accelerator
