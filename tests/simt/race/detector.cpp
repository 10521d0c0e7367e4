// Checks each access of a thread: is it inside an allocation, and ordered after earlier accesses?
#include "detector.h"

#include <algorithm>

#include "simt.h"
#include "where.h"

namespace lynceus::simt::race {
namespace {

// The linker's symbol for the start of the program in memory.
extern "C" const char __executable_start;

uint32_t place_of(const void* caller) {
  return static_cast<uint32_t>(static_cast<const char*>(caller) - &__executable_start);
}
std::string text_of(uint32_t place) { return engine::caller_at(&__executable_start + place); }

const unsigned char* bytes_of(const void* address) {
  return static_cast<const unsigned char*>(address);
}

}  // namespace

Detector::Detector() : shared_(engine::shared_memory()), stacks_(engine::stacks()) {
  const auto all = {engine::Range{bytes_of(&threadIdx), bytes_of(&threadIdx + 1)},
                    engine::Range{bytes_of(&blockIdx), bytes_of(&blockIdx + 1)},
                    engine::Range{bytes_of(&blockDim), bytes_of(&blockDim + 1)},
                    engine::Range{bytes_of(&gridDim), bytes_of(&gridDim + 1)}};
  indices_ = *all.begin();
  for (const engine::Range& range : all) {
    indices_.begin = std::min(indices_.begin, range.begin);
    indices_.end = std::max(indices_.end, range.end);
  }
}

void Detector::begin_launch() {
  order_.begin_launch();
  shadow_.shrink();
  allocations_ = {};
}

void Detector::access(const void* address, size_t bytes, engine::Access kind, const void* caller) {
  if (stacks_.contains(address) || indices_.contains(address)) return;
  const bool shared = shared_.contains(address);
  if (shared)
    check_shared(address, bytes, caller);
  else
    check_global(address, bytes, caller);
  const int thread = engine::running;
  Moment now{.era = order_.era(),
             .clock = order_.clock(thread),
             .place = place_of(caller),
             .thread = static_cast<uint16_t>(thread),
             .bytes = 0,
             .atomic = kind == engine::Access::kAtomic};
  const auto begin = reinterpret_cast<uintptr_t>(address), end = begin + bytes;
  for (uintptr_t at = begin / kCellBytes * kCellBytes; at < end; at += kCellBytes) {
    now.bytes = static_cast<uint8_t>((at >= begin ? 1u : 0u) | (at + 1 < end ? 2u : 0u));
    Cell* const cell = shadow_.cell(at);
    const Race race = kind == engine::Access::kRead ? record_read(cell, now, order_, shared)
                                                    : record_write(cell, now, order_, shared);
    if (race.found) [[unlikely]]
      report(race, reinterpret_cast<const void*>(at), now, kind, shared);
  }
}

void Detector::check_shared(const void* address, size_t bytes, const void* caller) const {
  if (!engine::owns_shared(address, bytes)) [[unlikely]]
    engine::fail("{}: touched {}", engine::caller_at(caller), engine::describe_shared(address));
}

/// Memory that the stand-in does not know belongs to the host: arguments, tables.
void Detector::check_global(const void* address, size_t bytes, const void* caller) {
  const auto* const begin = bytes_of(address);
  const auto holds = [&](const standin::Allocation& allocation) {
    return allocation.begin <= begin && begin < allocation.end_of_zone;
  };
  auto found = std::find_if(allocations_.begin(), allocations_.end(), holds);
  if (found == allocations_.end()) {
    const standin::Allocation allocation = standin::allocation_at(address);
    if (allocation.begin == nullptr) return;
    found = allocations_.begin() + static_cast<ptrdiff_t>(oldest_);
    *found = allocation;
    oldest_ = (oldest_ + 1) % allocations_.size();
  }
  if (found->freed)
    engine::fail("{}: touched global memory that was freed", engine::caller_at(caller));
  if (begin + bytes > found->begin + found->bytes)
    engine::fail("{}: touched byte {} of {} bytes of global memory", engine::caller_at(caller),
                 begin - found->begin, found->bytes);
}

void Detector::report(const Race& race, const void* address, const Moment& now, engine::Access kind,
                      bool shared) const {
  const char* const doing = kind == engine::Access::kRead    ? "read"
                            : kind == engine::Access::kWrite ? "written"
                                                             : "added to";
  std::string message =
      fmt::format("race on {}\n", shared ? engine::describe_shared(address) : "global memory");
  const auto line = [&](const char* what, const Moment& moment) {
    message += fmt::format("  {} by thread {} of block {} at {}\n", what, moment.thread,
                           order_.block_of(moment), text_of(moment.place));
  };
  line(race.before_writes ? (race.before.atomic ? "added to" : "written") : "read", race.before);
  line(doing, now);
  message += order_.of_other_block(race.before) ? "  blocks of one launch have no order"
                                                : "  no barrier between";
  engine::fail_with(message);
}

// Installs the detector before any kernel runs.
Detector* const detector = [] {
  auto* const instance = new Detector;  // must outlive every static object that launches kernels
  engine::observe(instance);
  return instance;
}();

}  // namespace lynceus::simt::race
