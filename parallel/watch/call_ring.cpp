#include "parallel/watch/call_ring.h"

#include <algorithm>
#include <chrono>

namespace lynceus::parallel {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

/// Only one thread writes, so that no locked instruction is needed.
void add(std::atomic<int64_t>* value, int64_t more) {
  value->store(value->load(kRelaxed) + more, kRelaxed);
}

}  // namespace

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::kAllReduce:
      return "all_reduce";
    case Operation::kAllGather:
      return "all_gather";
    case Operation::kReduceScatter:
      return "reduce_scatter";
    case Operation::kBroadcast:
      return "broadcast";
    case Operation::kBarrier:
      return "barrier";
    case Operation::kExchange:
      return "exchange";
  }
  return "?";
}

int64_t steady_nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void CallRing::begin(Operation operation, int64_t bytes) {
  const int64_t now = steady_nanoseconds();
  const int64_t index = index_.load(kRelaxed) + 1;
  std::atomic<int64_t>* counter = operation == Operation::kExchange ? &exchanges_ : &collectives_;
  Place& here = place(index);
  here.index.store(0, kRelaxed);  // a reader must not take a mixture of two calls
  std::atomic_thread_fence(std::memory_order_release);
  here.number.store(counter->load(kRelaxed) + 1, kRelaxed);
  here.bytes.store(bytes, kRelaxed);
  here.begun.store(now, kRelaxed);
  here.operation.store(operation, kRelaxed);
  here.state.store(CallState::kInside, kRelaxed);
  here.index.store(index, std::memory_order_release);
  add(counter, 1);
  index_.store(index, std::memory_order_release);
  changed_.store(now, kRelaxed);
}

void CallRing::end() {
  const int64_t now = steady_nanoseconds();
  Place& here = place(index_.load(kRelaxed));
  add(&waited_, now - here.begun.load(kRelaxed));
  here.state.store(CallState::kDone, std::memory_order_release);
  advance();
  changed_.store(now, kRelaxed);
}

void CallRing::submitted() {
  place(index_.load(kRelaxed)).state.store(CallState::kSubmitted, std::memory_order_release);
  changed_.store(steady_nanoseconds(), kRelaxed);
}

void CallRing::end_through(int64_t index) {
  const int64_t oldest = index_.load(kRelaxed) - kPlaces + 1;
  for (int64_t i = std::max(done_.load(kRelaxed) + 1, oldest); i <= index; ++i)
    place(i).state.store(CallState::kDone, std::memory_order_release);
  advance();
  changed_.store(steady_nanoseconds(), kRelaxed);
}

void CallRing::advance() {
  const int64_t last = index_.load(kRelaxed);
  int64_t done = std::max(done_.load(kRelaxed), last - kPlaces);
  while (done < last && place(done + 1).state.load(kRelaxed) == CallState::kDone) ++done;
  done_.store(done, std::memory_order_release);
}

std::vector<RecordedCall> CallRing::recent(int before, int open) const {
  const int64_t done = done_.load(std::memory_order_acquire);
  const int64_t last = index_.load(std::memory_order_acquire);
  const int64_t now = steady_nanoseconds();
  std::vector<RecordedCall> calls;
  const int64_t first = std::max({int64_t{1}, done - before + 1, last - kPlaces + 2});
  for (int64_t i = first; i <= std::min(last, std::max(done, first - 1) + open); ++i) {
    const Place& here = place(i);
    if (here.index.load(std::memory_order_acquire) != i) continue;
    RecordedCall call;
    call.operation = here.operation.load(kRelaxed);
    call.number = here.number.load(kRelaxed);
    call.bytes = here.bytes.load(kRelaxed);
    call.state = here.state.load(kRelaxed);
    call.seconds = 1e-9 * static_cast<double>(now - here.begun.load(kRelaxed));
    std::atomic_thread_fence(std::memory_order_acquire);
    if (here.index.load(kRelaxed) == i) calls.push_back(call);
  }
  return calls;
}

}  // namespace lynceus::parallel
