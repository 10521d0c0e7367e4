// The pool: blocks by size class, large ones on huge pages, counted by owner. Used by tensors.
#include "core/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

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

}  // namespace

const char* name_of(MemoryOwner owner) {
  constexpr const char* kNames[] = {"activation", "frozen weight", "trainable weight",
                                    "gradient",   "moment",        "input"};
  return kNames[static_cast<size_t>(owner)];
}

MemoryPool::~MemoryPool() { trim(); }

MemoryPool::Block MemoryPool::allocate(size_t bytes, MemoryOwner owner) {
  // Weights and moments live for the whole run: no rounding, so they waste nothing.
  const bool lasting = owner != MemoryOwner::kActivation && owner != MemoryOwner::kInput;
  const size_t capacity =
      lasting ? std::max<size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment)
              : capacity_for(bytes);
  Block block{nullptr, capacity, bytes, owner};
  std::lock_guard lock(mutex_);
  if (const auto found = free_blocks_.find(capacity); found != free_blocks_.end()) {
    block.data = found->second;
    free_blocks_.erase(found);
  } else {
    LYNCEUS_CHECK(device_.is_cpu(), "this pool serves host memory only");
    block.data = allocate_aligned(capacity);
    if (block.data == nullptr)
      throw Error(ExitCode::kIo, fmt::format("out of memory: {} bytes for {}; {} bytes are held",
                                             bytes, name_of(owner), reserved_));
    reserved_ += capacity;
  }
  auto& live = live_[static_cast<size_t>(owner)];
  live += bytes;
  peak_[static_cast<size_t>(owner)] = std::max(peak_[static_cast<size_t>(owner)], live);
  return block;
}

void MemoryPool::release(const Block& block) {
  std::lock_guard lock(mutex_);
  live_[static_cast<size_t>(block.owner)] -= block.bytes;
  const bool lasting =
      block.owner != MemoryOwner::kActivation && block.owner != MemoryOwner::kInput;
  if (lasting) {
    std::free(block.data);
    reserved_ -= block.capacity;
  } else {
    free_blocks_.emplace(block.capacity, block.data);
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
}

}  // namespace lynceus
