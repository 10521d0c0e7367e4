// queue.h for the one Runtime of the process.
#include "queue.h"

#include <cstdio>
#include <cstdlib>

#include "runtime.h"

namespace lynceus::standin {

Runtime& runtime() {
  static Runtime* const instance = new Runtime;  // must outlive every static object with a tensor
  return *instance;
}

void fail(const std::string& message) {
  std::fprintf(stderr, "device stand-in: %s\n", message.c_str());
  std::fflush(stderr);
  std::abort();
}

void enqueue(void* stream, std::function<void()> work) {
  require_device("a launch");
  const auto lock = locked();
  runtime().push(static_cast<CUstream_st*>(stream), std::move(work));
}

void enqueue_tries(void* stream, std::function<bool()> work) {
  const auto lock = locked();
  runtime().push_tries(static_cast<CUstream_st*>(stream), std::move(work));
}

Counts Counts::operator-(const Counts& other) const {
  return {launches - other.launches, products - other.products,
          copies - other.copies,     allocations - other.allocations,
          events - other.events,     events_made - other.events_made,
          waits - other.waits,       collectives - other.collectives};
}

Counts& counts() {
  static Counts instance;
  return instance;
}

void check_not_freed(const void* data) { runtime().memory.check_not_freed(data); }

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
  return runtime().memory.find(data);
}

bool is_device_memory(const void* data) {
  const auto lock = locked();
  return runtime().memory.contains(data);
}

}  // namespace lynceus::standin
