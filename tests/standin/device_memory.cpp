// Blocks of host memory with a guard zone, checked when they are freed.
#include "device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace lynceus::standin {
namespace {

constexpr unsigned char kPoison = 0xff;  // NaN in every floating type

/// The size of a block with its guard zone.
size_t with_zone(size_t bytes) {
  constexpr size_t kAlignment = 256;
  return (bytes / kAlignment + 2) * kAlignment;
}

void check_zone(const void* data, size_t bytes) {
  const auto* const begin = static_cast<const unsigned char*>(data);
  for (size_t i = bytes; i < with_zone(bytes); ++i)
    if (begin[i] != kPoison)
      fail("byte " + std::to_string(i) + " of " + std::to_string(bytes) +
           " bytes of device memory was written");
}

}  // namespace

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

size_t DeviceMemory::limit() {
  return static_cast<size_t>(from_environment("LYNCEUS_STANDIN_MIB", 4096)) << 20;
}

void DeviceMemory::poison(void* data, size_t bytes) { std::memset(data, kPoison, bytes); }

void* DeviceMemory::allocate(size_t bytes) {
  if (held_ + bytes > limit()) return nullptr;
  void* const data = std::aligned_alloc(256, with_zone(bytes));
  std::memset(data, kPoison, with_zone(bytes));
  blocks_[data] = bytes;
  held_ += bytes;
  return data;
}

void DeviceMemory::check_allocated(const void* data) const {
  if (!blocks_.contains(const_cast<void*>(data)))
    fail("memory is freed that was not allocated, or twice");
}

void DeviceMemory::free(void* data) {
  check_allocated(data);
  const size_t bytes = blocks_.at(data);
  check_zone(data, bytes);
  poison(data, bytes);
  held_ -= bytes;
  blocks_.erase(data);
  graves_.emplace_back(data, bytes);
  constexpr size_t kGraves = 64;
  if (graves_.size() > kGraves) {
    std::free(graves_.front().first);
    graves_.pop_front();
  }
}

bool DeviceMemory::contains(const void* data) const {
  const auto after = blocks_.upper_bound(const_cast<void*>(data));
  if (after == blocks_.begin()) return false;
  const auto& [begin, bytes] = *std::prev(after);
  return static_cast<const char*>(data) <
         static_cast<const char*>(begin) + std::max<size_t>(bytes, 1);
}

Allocation DeviceMemory::find(const void* data) const {
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

void DeviceMemory::check_not_freed(const void* data) const {
  for (const auto& [begin, bytes] : graves_)
    if (data >= begin && data < static_cast<const char*>(begin) + bytes)
      fail("memory is used after it was freed");
}

}  // namespace lynceus::standin
