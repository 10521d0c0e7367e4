// The accelerator over the CUDA runtime: streams, the device's stream-ordered memory pool, events.
#include "core/accelerator.h"

#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "core/cuda/cuda_call.h"

namespace lynceus::accelerator {
namespace {

cudaStream_t stream_of(const Queue& queue) { return static_cast<cudaStream_t>(queue.get()); }
cudaEvent_t event_of(const Event& event) { return static_cast<cudaEvent_t>(event.handle.get()); }

/// The device of the first queue; -1: none yet.
std::atomic<int> device_of_process = -1;
thread_local bool has_device = false;

void choose_device(int index) {
  LYNCEUS_CUDA(cudaSetDevice(index));
  has_device = true;
}

/// To be called before every call that would open a context on device 0 otherwise.
void ensure_device() {
  if (has_device) [[likely]]
    return;
  if (const int index = device_of_process; index >= 0) choose_device(index);
}

/// Events that nothing refers to any more: making one costs a call of the driver.
class SpareEvents {
 public:
  Event take() {
    int device = 0;
    LYNCEUS_CUDA(cudaGetDevice(&device));
    cudaEvent_t handle = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (auto& spare = spare_[device]; !spare.empty()) {
        handle = spare.back();
        spare.pop_back();
      }
    }
    if (handle == nullptr) LYNCEUS_CUDA(cudaEventCreateWithFlags(&handle, cudaEventDisableTiming));
    return {{handle, [this, device](void* unused) {
               std::lock_guard lock(mutex_);
               spare_[device].push_back(static_cast<cudaEvent_t>(unused));
             }}};
  }

 private:
  std::mutex mutex_;
  std::map<int, std::vector<cudaEvent_t>> spare_;
};

SpareEvents& spare_events() {
  static SpareEvents* const instance = new SpareEvents;  // must outlive every static with an event
  return *instance;
}

/// The pool keeps freed memory: returning pages to the driver would stall every step.
void keep_freed_memory(int index) {
  cudaMemPool_t pool = nullptr;
  LYNCEUS_CUDA(cudaDeviceGetDefaultMemPool(&pool, index));
  uint64_t threshold = ~uint64_t{0};
  LYNCEUS_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
}

/// Smaller numbers are preferred.
int level_of(Priority priority) {
  int least = 0, greatest = 0;
  LYNCEUS_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  switch (priority) {
    case Priority::kCommunication:
      return greatest;
    case Priority::kNormal:
      return (least + greatest) / 2;
    case Priority::kLow:
      return least;
  }
  throw InternalError("no such priority: {}", static_cast<int>(priority));
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

/// Each stream gets a hardware queue of its own. The default is eight queues: streams that share
/// one wait for each other (CUDA C Programming Guide, environment variables).
void set_connections() {
  static const int done = setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/0);
  static_cast<void>(done);
}

cudaError_t count_devices(int* count) {
  set_connections();  // before the first call of the runtime
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

std::string architectures() { return LYNCEUS_CUDA_ARCHITECTURES; }

bool device_is_unusable() {
  int count = 0;
  const cudaError_t status = count_devices(&count);
  if (status == cudaSuccess) return false;
  const bool has_file = std::filesystem::exists("/dev/nvidia0");
  if (status == cudaErrorNoDevice)
    return has_file && std::getenv("CUDA_VISIBLE_DEVICES") == nullptr;
  // Without a driver the runtime says that the driver is too old.
  return has_file || status != cudaErrorInsufficientDriver;
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

std::string pci_address(int index) {
  char address[32] = "";
  if (cudaDeviceGetPCIBusId(address, sizeof(address), index) != cudaSuccess) return {};
  std::string text = address;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

size_t free_bytes(int index) {
  choose_device(index);
  size_t free = 0, total = 0;
  LYNCEUS_CUDA(cudaMemGetInfo(&free, &total));
  return free;
}

Queue make_queue(int index, Priority priority) {
  set_connections();
  int none = -1;
  device_of_process.compare_exchange_strong(none, index);
  choose_device(index);
  keep_freed_memory(index);
  cudaStream_t stream = nullptr;
  LYNCEUS_CUDA(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, level_of(priority)));
  return {stream, [](void* handle) {
            ensure_device();
            cudaStreamDestroy(static_cast<cudaStream_t>(handle));
          }};
}

void synchronize(const Queue& queue) {
  ensure_device();
  LYNCEUS_CUDA(cudaStreamSynchronize(stream_of(queue)));
}

bool is_done(const Queue& queue) {
  ensure_device();
  return is_done(cudaStreamQuery(stream_of(queue)));
}

Event record(const Queue& queue) {
  ensure_device();
  Event event = spare_events().take();
  LYNCEUS_CUDA(cudaEventRecord(event_of(event), stream_of(queue)));
  return event;
}

Event record_time(const Queue& queue) {
  ensure_device();
  cudaEvent_t handle = nullptr;
  LYNCEUS_CUDA(cudaEventCreateWithFlags(&handle, cudaEventDefault));
  Event event{{handle, [](void* made) {
                 ensure_device();
                 cudaEventDestroy(static_cast<cudaEvent_t>(made));
               }}};
  LYNCEUS_CUDA(cudaEventRecord(handle, stream_of(queue)));
  return event;
}

void wait(const Queue& queue, const Event& event) {
  ensure_device();
  LYNCEUS_CUDA(cudaStreamWaitEvent(stream_of(queue), event_of(event), 0));
}

void synchronize(const Event& event) {
  ensure_device();
  LYNCEUS_CUDA(cudaEventSynchronize(event_of(event)));
}

bool is_done(const Event& event) {
  ensure_device();
  return is_done(cudaEventQuery(event_of(event)));
}

double milliseconds_between(const Event& begin, const Event& end) {
  float milliseconds = 0;
  LYNCEUS_CUDA(cudaEventElapsedTime(&milliseconds, event_of(begin), event_of(end)));
  return static_cast<double>(milliseconds);
}

void* allocate(const Queue& queue, size_t bytes) {
  ensure_device();
  void* data = nullptr;
  const cudaError_t status = cudaMallocAsync(&data, bytes, stream_of(queue));
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  LYNCEUS_CUDA(status);
  return data;
}

void release(const Queue& queue, void* data) {
  ensure_device();
  cudaFreeAsync(data, stream_of(queue));
}

void* allocate_pinned(int index, size_t bytes) {
  choose_device(index);
  void* data = nullptr;
  const cudaError_t status = cudaHostAlloc(&data, bytes, cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  LYNCEUS_CUDA(status);
  return data;
}

void release_pinned(void* data) {
  ensure_device();
  cudaFreeHost(data);
}

void copy(const Queue& queue, void* target, const void* source, size_t bytes) {
  ensure_device();
  LYNCEUS_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDefault, stream_of(queue)));
}

void fill_zero(const Queue& queue, void* target, size_t bytes) {
  ensure_device();
  LYNCEUS_CUDA(cudaMemsetAsync(target, 0, bytes, stream_of(queue)));
}

bool begin_range(const char* name) {
  nvtxRangePushA(name);
  return true;
}

void end_range() { nvtxRangePop(); }

}  // namespace lynceus::accelerator
