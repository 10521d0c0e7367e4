// One arena: static objects at its beginning, each with a red zone; dynamic memory at its end.
#include "block_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace lynceus::simt::engine {
namespace {

constexpr size_t kAlignment = 128;
constexpr size_t kRedZone = 128;
constexpr size_t kMostStatic = 48 * 1024;
// Includes space for the red zones.
constexpr size_t kArenaBytes = (kMostShared + 2 * kMostStatic + 4095) / 4096 * 4096;
constexpr size_t kGuardBytes = 64 * 1024;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The first byte in [begin, end) that lost its poison; end: none did.
const unsigned char* first_damage(const unsigned char* begin, const unsigned char* end) {
  return std::find_if(begin, end, [](unsigned char byte) { return byte != kPoison; });
}

}  // namespace

BlockMemory::BlockMemory() {
  void* const memory = mmap(nullptr, kArenaBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("no memory for a block");
  arena_ = static_cast<unsigned char*>(memory);
  guard_ = arena_ + kArenaBytes;
  if (mprotect(guard_, kGuardBytes, PROT_NONE) != 0) fail("no guard page after a block's memory");
  dynamic_ = guard_;
}

Range BlockMemory::guard() const { return {guard_, guard_ + kGuardBytes}; }

void BlockMemory::begin_launch(size_t dynamic_bytes) {
  dynamic_bytes_ = dynamic_bytes;
  dynamic_ = guard_ - aligned(dynamic_bytes);
  static_bytes_ = 0;
  objects_.clear();
}

void BlockMemory::begin_block() {
  std::memset(arena_, kPoison, static_bytes_);
  std::memset(dynamic_, kPoison, static_cast<size_t>(guard_ - dynamic_));
}

void* BlockMemory::static_shared(const void* key, size_t bytes) {
  size_t total = bytes;
  for (const Object& object : objects_) {
    if (object.key == key) return object.begin;
    total += aligned(object.bytes);
  }
  if (total > kMostStatic) fail("a kernel with {} bytes of static shared memory", total);
  if (aligned(total) + aligned(dynamic_bytes_) > kMostShared)
    fail("a block with {} bytes of shared memory", aligned(total) + dynamic_bytes_);
  unsigned char* const begin = arena_ + static_bytes_;
  objects_.push_back({key, begin, bytes});
  const size_t taken = aligned(bytes) + kRedZone;
  std::memset(begin, kPoison, taken);
  static_bytes_ += taken;
  return begin;
}

std::string BlockMemory::damage() const {
  const unsigned char* const end = dynamic_ + dynamic_bytes_;
  const unsigned char* found = first_damage(end, guard_);
  if (found != guard_)
    return fmt::format("byte {} of {} bytes of dynamic shared memory was written", found - dynamic_,
                       dynamic_bytes_);
  for (const Object& object : objects_) {
    const unsigned char* const zone = object.begin + aligned(object.bytes) + kRedZone;
    found = first_damage(object.begin + object.bytes, zone);
    if (found != zone)
      return fmt::format("byte {} of {} bytes of static shared memory was written",
                         found - object.begin, object.bytes);
  }
  return {};
}

bool BlockMemory::owns(const void* address, size_t bytes) const {
  const auto* const begin = static_cast<const unsigned char*>(address);
  if (begin >= dynamic_) return begin + bytes <= dynamic_ + dynamic_bytes_;
  return std::any_of(objects_.begin(), objects_.end(), [&](const Object& object) {
    return begin >= object.begin && begin + bytes <= object.begin + object.bytes;
  });
}

std::string BlockMemory::describe(const void* address) const {
  const auto* const byte = static_cast<const unsigned char*>(address);
  if (byte >= dynamic_)
    return fmt::format("byte {} of {} bytes of dynamic shared memory", byte - dynamic_,
                       dynamic_bytes_);
  for (const Object& object : objects_)
    if (byte >= object.begin && byte < object.begin + aligned(object.bytes) + kRedZone)
      return fmt::format("byte {} of {} bytes of static shared memory", byte - object.begin,
                         object.bytes);
  return "shared memory of no object";
}

}  // namespace lynceus::simt::engine
