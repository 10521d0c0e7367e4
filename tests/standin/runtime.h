// The state of the stand-in, one per process: streams with their queued work, events, and a seeded
// choice of the work that the device does next. cuda_runtime.cpp is its interface.
#pragma once

#include <driver_types.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "device_memory.h"

struct CUstream_st {
  struct Work {
    std::function<bool()> run;     // returns whether it is done; null: only waits
    std::shared_ptr<bool> awaits;  // the event to wait for; null: none
  };
  std::deque<Work> work;
};

struct CUevent_st {
  std::shared_ptr<bool> moment;  // set when the last record is reached; null: never recorded
  std::shared_ptr<double> milliseconds;  // the device's clock at that time
  bool times = false;                    // made for measuring
};

namespace lynceus::standin {

class Runtime {
 public:
  // Recursive, because work runs under the lock and may call back.
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
    make_room(check(stream));
    stream->work.push_back({std::move(run), nullptr});
  }
  void push_wait(CUstream_st* stream, std::shared_ptr<bool> moment) {
    make_room(check(stream));
    stream->work.push_back({nullptr, std::move(moment)});
  }

  /// Runs until the stream is empty. Sometimes other streams continue first.
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

  /// Runs the next work of one stream, if one is ready.
  void progress() {
    for (const auto& stream : streams_)
      if (ready(*stream)) return step_any();
  }

  /// Frees the memory when all earlier work of the stream is done.
  void free(CUstream_st* stream, void* data) {
    memory.check_allocated(data);
    push(stream, [this, data] { memory.free(data); });
  }

  DeviceMemory memory;
  std::set<const void*> pinned;
  double clock = 0;  // milliseconds that work has spent

 private:
  /// A stream takes about so many launches; then the host waits.
  static constexpr size_t kDepth = 1000;
  void make_room(CUstream_st* stream) {
    while (stream->work.size() >= kDepth) step(stream);
  }

  bool ready(const CUstream_st& stream) const {
    return !stream.work.empty() &&
           (stream.work.front().awaits == nullptr || *stream.work.front().awaits);
  }

  void run_front(CUstream_st* stream) {
    // Work that is not done stays at the front of its stream. It waits for other processes, which
    // need the processor.
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

  std::vector<std::unique_ptr<CUstream_st>> streams_;
  std::mt19937_64 random_{static_cast<uint64_t>(from_environment("LYNCEUS_STANDIN_SEED", 1))};
};

Runtime& runtime();

/// Ends the process if the calling thread has not chosen a device.
void require_device(const char* call);

inline std::lock_guard<std::recursive_mutex> locked() {
  return std::lock_guard<std::recursive_mutex>(runtime().mutex);
}

}  // namespace lynceus::standin
