// The pool: on CPUs blocks by size class, large ones on huge pages; on a device what its runtime
// returns; counted by owner.
#include "core/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/check.h"

namespace lynceus {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;

// Rounds up to a multiple of an eighth of the power of two below, so that the sizes of packed
// batches, which differ a little from step to step, share blocks and waste at most one eighth.
size_t capacity_for(size_t bytes) {
  if (bytes <= 4096) return 4096;
  const size_t grain = std::bit_floor(bytes) / 8;
  return (bytes + grain - 1) / grain * grain;
}

/// Large blocks are on huge pages where the system grants them: matrix products walk down columns,
/// one row per page, and small pages would cost a table walk for each row.
void* allocate_aligned(size_t capacity) {
  if (capacity < kHugePage) return std::aligned_alloc(kAlignment, capacity);
  // aligned_alloc requires a multiple of the alignment; posix_memalign does not.
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

struct MemoryPool::State {
  struct PinnedBlock {
    size_t capacity;
    void* data;
    accelerator::Event read;
  };

  std::shared_ptr<void> library;
  std::mutex mutex;                          // of everything here
  std::multimap<size_t, void*> free_blocks;  // capacity -> block
  std::optional<int> pinned_for;
  std::vector<PinnedBlock> free_pinned;
  std::array<size_t, kMemoryOwners> live{};
  std::array<size_t, kMemoryOwners> peak{};
  size_t reserved = 0;
  std::vector<std::weak_ptr<Watch>> watches;
};

MemoryPool::MemoryPool(Device device, accelerator::Priority priority)
    : device_(device), state_(std::make_unique<State>()) {
  if (device.kind == DeviceKind::kCuda) queue_ = accelerator::make_queue(device.index, priority);
}

MemoryPool::~MemoryPool() {
  try {
    trim();
  } catch (const Error&) {
    // A device that has failed reads no block any more.
  }
}

void* MemoryPool::take(size_t capacity) {
  if (queue_ != nullptr) return accelerator::allocate(queue_, capacity);
  const auto found = state_->free_blocks.find(capacity);
  if (found == state_->free_blocks.end()) return allocate_aligned(capacity);
  void* const data = found->second;
  state_->free_blocks.erase(found);
  state_->reserved -= capacity;  // the caller counts it again
  return data;
}

void* MemoryPool::take_pinned(size_t capacity) {
  for (auto known = state_->free_pinned.begin(); known != state_->free_pinned.end(); ++known) {
    const bool read = known->read.handle == nullptr || accelerator::is_done(known->read);
    if (known->capacity != capacity || !read) continue;
    void* const data = known->data;
    state_->free_pinned.erase(known);
    state_->reserved -= capacity;  // the caller counts it again
    return data;
  }
  return accelerator::allocate_pinned(*state_->pinned_for, capacity);
}

MemoryPool::Block MemoryPool::allocate(size_t bytes, MemoryOwner owner) {
  LYNCEUS_CHECK(device_.has_memory(), "memory on no device");
  // Weights and moments live for the whole run: no rounding, so they waste no memory.
  const bool rounded = device_.is_cpu() && !is_lasting(owner);
  const size_t capacity =
      rounded ? capacity_for(bytes)
              : std::max<size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  std::lock_guard lock(state_->mutex);
  const bool pinned = state_->pinned_for && owner == MemoryOwner::kInput;
  const Block block{pinned ? take_pinned(capacity) : take(capacity), capacity, bytes, owner,
                    pinned};
  if (block.data == nullptr)
    throw Error(ExitCode::kIo, fmt::format("out of memory: {} bytes for {}; {} bytes are reserved",
                                           bytes, name_of(owner), state_->reserved));
  state_->reserved += capacity;
  auto& live = state_->live[static_cast<size_t>(owner)];
  live += bytes;
  state_->peak[static_cast<size_t>(owner)] =
      std::max(state_->peak[static_cast<size_t>(owner)], live);
  return block;
}

void MemoryPool::give_back(const Block& block) {
  if (block.pinned) return state_->free_pinned.push_back({block.capacity, block.data, block.read});
  if (queue_ != nullptr)
    accelerator::release(queue_, block.data);
  else if (is_lasting(block.owner))
    std::free(block.data);
  else
    return static_cast<void>(state_->free_blocks.emplace(block.capacity, block.data));
  state_->reserved -= block.capacity;
}

void MemoryPool::release(const Block& block) {
  std::lock_guard lock(state_->mutex);
  state_->live[static_cast<size_t>(block.owner)] -= block.bytes;
  give_back(block);
}

void MemoryPool::pin_inputs_for(int device_index) {
  std::lock_guard lock(state_->mutex);
  state_->pinned_for = device_index;
}

void* MemoryPool::library(std::shared_ptr<void> (*make)(const accelerator::Queue& queue)) {
  std::lock_guard lock(state_->mutex);
  if (state_->library == nullptr) state_->library = make(queue_);
  return state_->library.get();
}

void MemoryPool::watch(const std::shared_ptr<Watch>& watch) {
  std::lock_guard lock(state_->mutex);
  std::erase_if(state_->watches, [](const auto& known) { return known.expired(); });
  state_->watches.push_back(watch);
}

void MemoryPool::synchronize() {
  if (queue_ == nullptr) return;
  std::unique_lock lock(state_->mutex);
  const auto watches = state_->watches;
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
    // Also at the end: aborted work counts as done.
    for (const auto& known : watches)
      if (const auto watch = known.lock()) watch->look();
  }
}

size_t MemoryPool::live_bytes(MemoryOwner owner) const {
  std::lock_guard lock(state_->mutex);
  return state_->live[static_cast<size_t>(owner)];
}

size_t MemoryPool::peak_bytes(MemoryOwner owner) const {
  std::lock_guard lock(state_->mutex);
  return state_->peak[static_cast<size_t>(owner)];
}

size_t MemoryPool::reserved_bytes() const {
  std::lock_guard lock(state_->mutex);
  return state_->reserved;
}

void MemoryPool::reset_peaks() {
  std::lock_guard lock(state_->mutex);
  state_->peak = state_->live;
}

void MemoryPool::trim() {
  std::lock_guard lock(state_->mutex);
  for (const auto& [capacity, data] : state_->free_blocks) {
    std::free(data);
    state_->reserved -= capacity;
  }
  state_->free_blocks.clear();
  for (const State::PinnedBlock& block : state_->free_pinned) {
    if (block.read.handle != nullptr) accelerator::synchronize(block.read);
    accelerator::release_pinned(block.data);
    state_->reserved -= block.capacity;
  }
  state_->free_pinned.clear();
}

}  // namespace lynceus
