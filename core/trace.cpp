// Collects the scopes of all threads in memory and writes them as Chrome trace JSON.
#include "core/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "core/error.h"

namespace lynceus::trace {

namespace internal {
std::atomic<bool> recording{false};
}

namespace {

// A missing stop must not exhaust the memory of a long run: 48 MB at most.
constexpr size_t kMaxEvents = size_t{1} << 20;

struct Event {
  const char* name;
  int64_t index;
  int64_t begin;     // ns, steady clock
  int64_t duration;  // ns
  int thread;
};

/// An interval of a device's queue; its times are known only once the device has finished it.
struct QueueEvent {
  std::string row;
  const char* name;
  accelerator::Event begin;
  accelerator::Event end;
};

struct Recorder {
  std::mutex mutex;
  std::vector<Event> events;
  std::vector<QueueEvent> queue_events;
  accelerator::Event device_started;  // at `started` by the device's clock; none: no device
  int64_t dropped = 0;
  int rank = 0;
  int64_t started = 0;        // ns, steady clock
  int64_t to_wall_clock = 0;  // ns to add to the steady clock
};

Recorder& recorder() {
  // Never destroyed: threads may leave a scope while the process exits.
  static Recorder* const instance = new Recorder;
  return *instance;
}

int thread_number() {
  static std::atomic<int> next{0};
  thread_local const int number = next++;
  return number;
}

std::string microseconds(int64_t nanoseconds) {
  return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
}

constexpr int kFirstRow = 1000;  // thread numbers of a device's rows

/// Waits until the device has finished the recorded work.
std::string queue_events_json(const Recorder& recorder) {
  std::string json;
  std::vector<std::string> rows;
  for (const QueueEvent& event : recorder.queue_events) {
    auto row = std::find(rows.begin(), rows.end(), event.row);
    const int thread = kFirstRow + static_cast<int>(row - rows.begin());
    if (row == rows.end()) {
      rows.push_back(event.row);
      json += fmt::format(
          ",\n{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{},\"tid\":{},\"args\":"
          "{{\"name\":\"device: {}\"}}}}",
          recorder.rank, thread, event.row);
    }
    accelerator::synchronize(event.end);
    const auto nanoseconds_to = [&](const accelerator::Event& moment) {
      return static_cast<int64_t>(
          1e6 * accelerator::milliseconds_between(recorder.device_started, moment));
    };
    const int64_t begin = nanoseconds_to(event.begin);
    json += fmt::format(
        ",\n{{\"ph\":\"X\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{}}}",
        event.name, recorder.rank, thread,
        microseconds(recorder.started + begin + recorder.to_wall_clock),
        microseconds(std::max<int64_t>(0, nanoseconds_to(event.end) - begin)));
  }
  return json;
}

std::string to_json(const Recorder& recorder) {
  std::string json = fmt::format(
      "[{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{0},\"args\":{{\"name\":\"rank "
      "{0}\"}}}},\n"
      "{{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":{0},\"args\":{{\"sort_index\":{0}}}}"
      "}",
      recorder.rank);
  for (const Event& event : recorder.events) {
    json += fmt::format(
        ",\n{{\"ph\":\"X\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{}", event.name,
        recorder.rank, event.thread, microseconds(event.begin + recorder.to_wall_clock),
        microseconds(event.duration));
    if (event.index >= 0) json += fmt::format(",\"args\":{{\"index\":{}}}", event.index);
    json += '}';
  }
  json += queue_events_json(recorder);
  if (recorder.dropped > 0)
    json += fmt::format(
        ",\n{{\"ph\":\"i\",\"s\":\"p\",\"name\":\"{} events "
        "dropped\",\"pid\":{},\"tid\":0,\"ts\":{}}}",
        recorder.dropped, recorder.rank,
        microseconds(internal::now_nanoseconds() + recorder.to_wall_clock));
  return json + "]\n";
}

}  // namespace

namespace internal {

int64_t now_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void record(const char* name, int64_t index, int64_t begin_nanoseconds) {
  const int64_t end = now_nanoseconds();
  const int thread = thread_number();
  Recorder& target = recorder();
  const std::lock_guard lock(target.mutex);
  // A scope that began before this recording is dropped.
  if (!recording.load(std::memory_order_relaxed) || begin_nanoseconds < target.started) return;
  if (target.events.size() < kMaxEvents)
    target.events.push_back({name, index, begin_nanoseconds, end - begin_nanoseconds, thread});
  else
    ++target.dropped;
}

bool records_queues() {
  Recorder& target = recorder();
  const std::lock_guard lock(target.mutex);
  return target.device_started.handle != nullptr;
}

void record_queue(const std::string& row, const char* name, accelerator::Event begin,
                  const accelerator::Queue& queue) noexcept {
  Recorder& target = recorder();
  const std::lock_guard lock(target.mutex);
  if (!recording.load(std::memory_order_relaxed)) return;
  if (target.events.size() + target.queue_events.size() >= kMaxEvents) {
    ++target.dropped;
    return;
  }
  try {
    target.queue_events.push_back({row, name, std::move(begin), accelerator::record_time(queue)});
  } catch (const lynceus::Error&) {
    // The queue has failed; its next use reports that.
  }
}

}  // namespace internal

void start(int rank, const accelerator::Queue& device) {
  Recorder& target = recorder();
  const std::lock_guard lock(target.mutex);
  target.events.clear();
  target.queue_events.clear();
  target.device_started = {};
  if (device != nullptr) {
    accelerator::synchronize(device);
    target.device_started = accelerator::record_time(device);
    accelerator::synchronize(target.device_started);
  }
  target.dropped = 0;
  target.rank = rank;
  target.started = internal::now_nanoseconds();
  target.to_wall_clock = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count() -
                         target.started;
  internal::recording = true;
}

void stop_and_write(const std::string& path) {
  std::string json;
  {
    Recorder& target = recorder();
    const std::lock_guard lock(target.mutex);
    internal::recording = false;
    json = to_json(target);
    std::vector<Event>().swap(target.events);
    target.queue_events.clear();
    target.device_started = {};
  }
  std::error_code error;
  const auto directory = std::filesystem::path(path).parent_path();
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) throw IoError("{}: cannot be created: {}", directory.string(), error.message());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) throw IoError("{}: cannot be written: {}", path, std::strerror(errno));
  const bool written = std::fwrite(json.data(), 1, json.size(), file) == json.size();
  if (std::fclose(file) != 0 || !written)
    throw IoError("{}: writing {} bytes failed: {}", path, json.size(), std::strerror(errno));
}

std::string file_name(int64_t first_step, int64_t last_step, int rank) {
  return fmt::format("step-{:08}-{:08}.rank-{}.json", first_step, last_step, rank);
}

}  // namespace lynceus::trace
