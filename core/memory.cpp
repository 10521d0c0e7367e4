// The pool: on CPUs blocks by size class, large ones on huge pages; on a device whatever its
// runtime gives; counted by owner. Used by tensors.
#include "core/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "core/check.h"

namespace lynceus {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

// Rounds up to an eighth of the power of two below, so that the sizes of packed batches, which
// differ a little from step to step, share blocks and waste at most one eighth.
size_t capacity_for(size_t bytes) {
  if (bytes <= 4096) return 4096;
  const size_t grain = std::bit_floor(bytes) / 8;
  return (bytes + grain - 1) / grain * grain;
}

/// Large blocks lie on huge pages where the system grants them: matrix products walk down columns,
/// one row a page, and small pages would cost a table walk for each row.
void* allocate_aligned(size_t capacity) {
  if (capacity < kHugePage) return std::aligned_alloc(kAlignment, capacity);
  // C's aligned_alloc wants a multiple of the alignment; posix_memalign does not.
  void* data = nullptr;
  if (posix_memalign(&data, kHugePage, capacity) != 0) return nullptr;
  madvise(data, capacity, MADV_HUGEPAGE);
  return data;
}

bool is_lasting(MemoryOwner owner) {
  return owner != MemoryOwner::kActivation && owner != MemoryOwner::kInput;
}

}  // namespace

const char* name_of(MemoryOwner owner) {
  constexpr const char* kNames[] = {"activation", "frozen weight", "trainable weight",
                                    "gradient",   "moment",        "input"};
  return kNames[static_cast<size_t>(owner)];
}

MemoryPool::MemoryPool(Device device, accelerator::Priority priority) : device_(device) {
  if (device.kind == DeviceKind::kCuda) queue_ = accelerator::make_queue(device.index, priority);
}

MemoryPool::~MemoryPool() {
  try {
    trim();
  } catch (const Error&) {
    // A device that has failed reads nothing any more.
  }
}

void* MemoryPool::take(size_t capacity) {
  if (queue_ != nullptr) return accelerator::allocate(queue_, capacity);
  const auto found = free_blocks_.find(capacity);
  if (found == free_blocks_.end()) return allocate_aligned(capacity);
  void* const data = found->second;
  free_blocks_.erase(found);
  reserved_ -= capacity;  // counted again by who takes it
  return data;
}

void* MemoryPool::take_pinned(size_t capacity) {
  for (auto known = free_pinned_.begin(); known != free_pinned_.end(); ++known) {
    const bool read = known->read.handle == nullptr || accelerator::is_done(known->read);
    if (known->capacity != capacity || !read) continue;
    void* const data = known->data;
    free_pinned_.erase(known);
    reserved_ -= capacity;  // counted again by who takes it
    return data;
  }
  return accelerator::allocate_pinned(*pinned_for_, capacity);
}

MemoryPool::Block MemoryPool::allocate(size_t bytes, MemoryOwner owner) {
  LYNCEUS_CHECK(device_.has_memory(), "memory on no device");
  // Weights and moments live for the whole run: no rounding, so they waste nothing.
  const bool rounded = device_.is_cpu() && !is_lasting(owner);
  const size_t capacity =
      rounded ? capacity_for(bytes)
              : std::max<size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  std::lock_guard lock(mutex_);
  const bool pinned = pinned_for_ && owner == MemoryOwner::kInput;
  const Block block{pinned ? take_pinned(capacity) : take(capacity), capacity, bytes, owner,
                    pinned};
  if (block.data == nullptr)
    throw Error(ExitCode::kIo, fmt::format("out of memory: {} bytes for {}; {} bytes are held",
                                           bytes, name_of(owner), reserved_));
  reserved_ += capacity;
  auto& live = live_[static_cast<size_t>(owner)];
  live += bytes;
  peak_[static_cast<size_t>(owner)] = std::max(peak_[static_cast<size_t>(owner)], live);
  return block;
}

void MemoryPool::give_back(const Block& block) {
  if (block.pinned) return free_pinned_.push_back({block.capacity, block.data, block.read});
  if (queue_ != nullptr)
    accelerator::release(queue_, block.data);
  else if (is_lasting(block.owner))
    std::free(block.data);
  else
    return static_cast<void>(free_blocks_.emplace(block.capacity, block.data));
  reserved_ -= block.capacity;
}

void MemoryPool::release(const Block& block) {
  std::lock_guard lock(mutex_);
  live_[static_cast<size_t>(block.owner)] -= block.bytes;
  give_back(block);
}

void MemoryPool::watch(const std::shared_ptr<const std::function<void()>>& watch) {
  std::lock_guard lock(mutex_);
  std::erase_if(watches_, [](const auto& known) { return known.expired(); });
  watches_.push_back(watch);
}

void MemoryPool::synchronize() {
  if (queue_ == nullptr) return;
  std::unique_lock lock(mutex_);
  const auto watches = watches_;
  lock.unlock();
  const auto expired = [](const auto& known) { return known.expired(); };
  if (std::all_of(watches.begin(), watches.end(), expired)) return accelerator::synchronize(queue_);
  constexpr auto kInterval = std::chrono::milliseconds(1);
  auto next = std::chrono::steady_clock::now() + kInterval;
  for (bool done = false; !done;) {
    done = accelerator::is_done(queue_);
    const auto now = std::chrono::steady_clock::now();
    if (!done && now < next) {
      std::this_thread::yield();
      continue;
    }
    next = now + kInterval;
    // Also at the end: work that was broken off counts as done.
    for (const auto& known : watches)
      if (const auto watch = known.lock()) (*watch)();
  }
}

size_t MemoryPool::live_bytes(MemoryOwner owner) const {
  std::lock_guard lock(mutex_);
  return live_[static_cast<size_t>(owner)];
}

size_t MemoryPool::peak_bytes(MemoryOwner owner) const {
  std::lock_guard lock(mutex_);
  return peak_[static_cast<size_t>(owner)];
}

size_t MemoryPool::reserved_bytes() const {
  std::lock_guard lock(mutex_);
  return reserved_;
}

void MemoryPool::reset_peaks() {
  std::lock_guard lock(mutex_);
  peak_ = live_;
}

void MemoryPool::trim() {
  std::lock_guard lock(mutex_);
  for (const auto& [capacity, data] : free_blocks_) {
    std::free(data);
    reserved_ -= capacity;
  }
  free_blocks_.clear();
  for (const PinnedBlock& block : free_pinned_) {
    if (block.read.handle != nullptr) accelerator::synchronize(block.read);
    accelerator::release_pinned(block.data);
    reserved_ -= block.capacity;
  }
  free_pinned_.clear();
}

}  // namespace lynceus
