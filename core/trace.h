// Chrome trace of chosen steps: one scope macro, one JSON file a rank.
//
//   void decoder_layer() {
//     LYNCEUS_TRACE("decoder layer");      // or LYNCEUS_TRACE("decoder layer", layer_index)
//
// Files load in chrome://tracing and ui.perfetto.dev. Each is a JSON array of events with
// pid = rank, so that `jq -s add trace/*.json` merges ranks; times are wall-clock microseconds, so
// ranks of one machine line up. Recording is process-wide like the logger, and thread-safe; when
// off a scope costs a branch or two. The host runs ahead of a device, so the work of the device's
// queues is recorded in rows of its own (QueueScope). With a driver the scopes are NVTX ranges too,
// recording or not, for Nsight.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/accelerator.h"

namespace lynceus::trace {

/// The name of a scope: a literal without quotes, backslashes and control characters, checked at
/// compile time, since it is written to JSON unescaped.
struct Name {
  const char* text = nullptr;
  consteval Name(const char* literal) : text(literal) {  // NOLINT: implicit on purpose
    for (const char* c = literal; *c != '\0'; ++c)
      if (*c == '"' || *c == '\\' || static_cast<unsigned char>(*c) < 0x20)
        throw "a trace name must not need escaping";
  }
};

/// Discards what was recorded and records from now on, as `rank`. `device`: a queue of the device
/// that this rank computes on, whose clock is then aligned with the host's (it waits for the
/// queue); null: no queue is recorded.
void start(int rank, const accelerator::Queue& device = nullptr);
/// Stops and writes the file, creating its directory; IoError if it cannot be written.
void stop_and_write(const std::string& path);
/// "step-00000010-00000012.rank-3.json": the file of one rank for steps first to last.
std::string file_name(int64_t first_step, int64_t last_step, int rank);

namespace internal {

extern std::atomic<bool> recording;
int64_t now_nanoseconds();
void record(const char* name, int64_t index, int64_t begin_nanoseconds);
void record_queue(const std::string& row, const char* name, accelerator::Event begin,
                  const accelerator::Queue& queue) noexcept;
bool records_queues();

}  // namespace internal

/// One event from construction to destruction; `index` (a layer, a micro-batch) when not negative.
class Scope {
 public:
  explicit Scope(Name name, int64_t index = -1) : range_(accelerator::begin_range(name.text)) {
    if (!internal::recording.load(std::memory_order_relaxed)) return;
    name_ = name.text;
    index_ = index;
    begin_ = internal::now_nanoseconds();
  }
  ~Scope() {
    if (name_ != nullptr) internal::record(name_, index_, begin_);
    if (range_) accelerator::end_range();
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  bool range_;
  const char* name_ = nullptr;
  int64_t index_ = -1;
  int64_t begin_ = 0;
};

/// The work submitted to a queue of the device from construction to destruction, as an event in the
/// row `row` ("compute", "tensor group"). Records no event on CPUs (a null queue).
class QueueScope {
 public:
  QueueScope(const accelerator::Queue& queue, const std::string& row, Name name) {
    if (!internal::recording.load(std::memory_order_relaxed)) return;
    if (queue == nullptr || !internal::records_queues()) return;
    queue_ = queue;
    row_ = row;
    name_ = name.text;
    begin_ = accelerator::record_time(queue);
  }
  ~QueueScope() {
    if (queue_ != nullptr) internal::record_queue(row_, name_, std::move(begin_), queue_);
  }
  QueueScope(const QueueScope&) = delete;
  QueueScope& operator=(const QueueScope&) = delete;

 private:
  accelerator::Queue queue_;
  std::string row_;
  const char* name_ = nullptr;
  accelerator::Event begin_;
};

}  // namespace lynceus::trace

#define LYNCEUS_TRACE_JOIN2(a, b) a##b
#define LYNCEUS_TRACE_JOIN(a, b) LYNCEUS_TRACE_JOIN2(a, b)
#define LYNCEUS_TRACE(...) \
  const ::lynceus::trace::Scope LYNCEUS_TRACE_JOIN(lynceus_trace_, __LINE__)(__VA_ARGS__)
