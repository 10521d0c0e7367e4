// The calls of the CUDA runtime that src/core/cuda makes, on host memory. See queue.h.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "queue.h"

struct CUstream_st {
  struct Work {
    std::function<bool()> run;     // whether it is done; null: nothing to do
    std::shared_ptr<bool> awaits;  // an event's moment; null: nothing
  };
  std::deque<Work> work;
};

struct CUevent_st {
  std::shared_ptr<bool> moment;          // of the last record; null: never recorded
  std::shared_ptr<double> milliseconds;  // on the device's clock then
};

namespace lynceus::standin {
namespace {

constexpr unsigned char kPoison = 0xff;  // NaN in every floating type

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

class Runtime {
 public:
  // Work runs under the lock too; it may call back (a launch inside a callback is not done here).
  std::recursive_mutex mutex;

  CUstream_st* make_stream() {
    streams_.push_back(std::make_unique<CUstream_st>());
    return streams_.back().get();
  }

  CUstream_st* check(CUstream_st* stream) {
    for (const auto& known : streams_)
      if (known.get() == stream) return stream;
    fail(stream == nullptr ? "the default stream is used, which waits for all others"
                           : "a stream is used that was destroyed or never made");
  }

  void destroy(CUstream_st* stream) {
    drain(check(stream));
    std::erase_if(streams_, [&](const auto& known) { return known.get() == stream; });
  }

  void push(CUstream_st* stream, std::function<void()> run) {
    push_tries(stream, [run = std::move(run)] {
      run();
      return true;
    });
  }
  void push_tries(CUstream_st* stream, std::function<bool()> run) {
    check(stream)->work.push_back({std::move(run), nullptr});
  }
  void push_wait(CUstream_st* stream, std::shared_ptr<bool> moment) {
    check(stream)->work.push_back({nullptr, std::move(moment)});
  }

  /// Until the stream has nothing left to do. Others go on now and then.
  void drain(CUstream_st* stream) {
    while (!stream->work.empty()) step(stream);
  }

  void run_until(const std::shared_ptr<bool>& moment) {
    while (!*moment) {
      bool any = false;
      for (const auto& stream : streams_) any |= !stream->work.empty();
      if (!any) fail("an event is waited for that no queue will reach");
      step_any();
    }
  }

  /// Something that a device would be doing by now, if there is anything.
  void progress() {
    for (const auto& stream : streams_)
      if (ready(*stream)) return step_any();
  }

  cudaError_t allocate(void** data, size_t bytes) {
    const auto limit = static_cast<size_t>(from_environment("LYNCEUS_STANDIN_MIB", 4096)) << 20;
    if (held_ + bytes > limit) return cudaErrorMemoryAllocation;
    *data = std::aligned_alloc(256, with_zone(bytes));
    std::memset(*data, kPoison, with_zone(bytes));
    blocks_[*data] = bytes;
    held_ += bytes;
    return cudaSuccess;
  }

  void free(CUstream_st* stream, void* data) {
    const auto found = blocks_.find(data);
    if (found == blocks_.end()) fail("memory is freed that was not allocated, or twice");
    const size_t bytes = found->second;
    // What still reads it then, on another stream, finds NaNs. The address comes back much later.
    push(stream, [this, data, bytes] {
      check_zone(data, bytes);
      std::memset(data, kPoison, bytes);
      held_ -= bytes;
      blocks_.erase(data);
      graves_.emplace_back(data, bytes);
      constexpr size_t kGraves = 64;
      if (graves_.size() > kGraves) {
        std::free(graves_.front().first);
        graves_.pop_front();
      }
    });
  }

  bool contains(const void* data) const {
    const auto after = blocks_.upper_bound(const_cast<void*>(data));
    if (after == blocks_.begin()) return false;
    const auto& [begin, bytes] = *std::prev(after);
    return static_cast<const char*>(data) <
           static_cast<const char*>(begin) + std::max<size_t>(bytes, 1);
  }

  Allocation find(const void* data) const {
    const auto holds = [&](const void* begin, size_t bytes, bool freed) {
      const auto* const first = static_cast<const unsigned char*>(begin);
      return Allocation{first, bytes, first + with_zone(bytes), freed};
    };
    if (const auto after = blocks_.upper_bound(const_cast<void*>(data)); after != blocks_.begin()) {
      const auto& [begin, bytes] = *std::prev(after);
      const Allocation found = holds(begin, bytes, false);
      if (data < found.end_of_zone) return found;
    }
    for (const auto& [begin, bytes] : graves_)
      if (data >= begin && data < holds(begin, bytes, true).end_of_zone)
        return holds(begin, bytes, true);
    return {};
  }

  /// Memory that was freed not long ago is still known.
  void check_not_freed(const void* data) const {
    for (const auto& [begin, bytes] : graves_)
      if (data >= begin && data < static_cast<const char*>(begin) + bytes)
        fail("memory is used after it was freed");
  }

  std::set<const void*> pinned;
  double clock = 0;  // milliseconds that work has spent
  size_t held() const { return held_; }

 private:
  bool ready(const CUstream_st& stream) const {
    return !stream.work.empty() &&
           (stream.work.front().awaits == nullptr || *stream.work.front().awaits);
  }

  void run_front(CUstream_st* stream) {
    // Work that is not done keeps its place: what comes behind waits for it. Other processes are
    // what it waits for; they want the processor too.
    if (stream->work.front().run == nullptr || stream->work.front().run())
      return stream->work.pop_front();
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }

  void step_any() {
    std::vector<CUstream_st*> candidates;
    for (const auto& stream : streams_)
      if (ready(*stream)) candidates.push_back(stream.get());
    if (candidates.empty()) fail("streams wait for each other's events");
    run_front(candidates[random_() % candidates.size()]);
  }

  void step(CUstream_st* wanted) {
    if (ready(*wanted) && random_() % 4 != 0) return run_front(wanted);
    step_any();
  }

  static size_t with_zone(size_t bytes) {
    constexpr size_t kAlignment = 256;
    return (bytes / kAlignment + 2) * kAlignment;
  }

  static void check_zone(const void* data, size_t bytes) {
    const auto* const begin = static_cast<const unsigned char*>(data);
    for (size_t i = bytes; i < with_zone(bytes); ++i)
      if (begin[i] != kPoison)
        fail("byte " + std::to_string(i) + " of " + std::to_string(bytes) +
             " bytes of device memory was written");
  }

  std::vector<std::unique_ptr<CUstream_st>> streams_;
  std::map<void*, size_t> blocks_;
  std::deque<std::pair<void*, size_t>> graves_;
  size_t held_ = 0;
  std::mt19937_64 random_{static_cast<uint64_t>(from_environment("LYNCEUS_STANDIN_SEED", 1))};
};

Runtime& runtime() {
  static Runtime* const instance = new Runtime;  // outlives every static that holds a tensor
  return *instance;
}

std::lock_guard<std::recursive_mutex> locked() {
  return std::lock_guard<std::recursive_mutex>(runtime().mutex);
}

}  // namespace

void fail(const std::string& message) {
  std::fprintf(stderr, "device stand-in: %s\n", message.c_str());
  std::fflush(stderr);
  std::abort();
}

void enqueue(void* stream, std::function<void()> work) {
  const auto lock = locked();
  runtime().push(static_cast<CUstream_st*>(stream), std::move(work));
}

void enqueue_tries(void* stream, std::function<bool()> work) {
  const auto lock = locked();
  runtime().push_tries(static_cast<CUstream_st*>(stream), std::move(work));
}

void check_not_freed(const void* data) { runtime().check_not_freed(data); }

void spend(double milliseconds) {
  const auto lock = locked();
  runtime().clock += milliseconds;
}

void progress() {
  const auto lock = locked();
  runtime().progress();
}

Allocation allocation_at(const void* data) {
  const auto lock = locked();
  return runtime().find(data);
}

bool is_device_memory(const void* data) {
  const auto lock = locked();
  return runtime().contains(data);
}

}  // namespace lynceus::standin

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
  *total = static_cast<size_t>(lynceus::standin::from_environment("LYNCEUS_STANDIN_MIB", 4096))
           << 20;
  *free = *total - runtime().held();
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
  return runtime().allocate(data, bytes);
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
  const bool pageable = !runtime().contains(source) && !runtime().pinned.contains(source);
  if (!pageable) {
    runtime().push(stream, [=] {
      runtime().check_not_freed(source);
      runtime().check_not_freed(target);
      std::memcpy(target, source, bytes);
    });
    return cudaSuccess;
  }
  // Ordinary host memory has been read when the call returns.
  const auto* const begin = static_cast<const unsigned char*>(source);
  auto taken = std::make_shared<std::vector<unsigned char>>(begin, begin + bytes);
  runtime().push(stream, [=] {
    runtime().check_not_freed(target);
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
