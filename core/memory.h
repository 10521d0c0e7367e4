// The memory behind tensors: a pool per stream that counts live bytes by owner, so that "frozen
// costs nothing" can be measured. On CPUs it keeps freed blocks for the next step (a fresh page
// costs more than the arithmetic on it); on a device it is ordered by the stream's queue, and the
// device's runtime keeps the blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/accelerator.h"
#include "core/device.h"

namespace lynceus {

/// What a block of memory is for.
enum class MemoryOwner : uint8_t {
  kActivation,       ///< activations, workspace; between forward and backward: what layers saved
  kFrozenWeight,     ///< weights that only carry gradients through, packed copies included
  kTrainableWeight,  ///< f32 masters of what is trained
  kGradient,
  kMoment,  ///< Adam's m and v
  kInput,   ///< pixels, token ids, labels
  kCount
};
constexpr size_t kMemoryOwners = static_cast<size_t>(MemoryOwner::kCount);
const char* name_of(MemoryOwner owner);

/// Thread-safe. Blocks are aligned to 64 bytes at least.
class MemoryPool {
 public:
  explicit MemoryPool(Device device,
                      accelerator::Priority priority = accelerator::Priority::kNormal);
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  struct Block {
    void* data = nullptr;
    size_t capacity = 0;  ///< bytes really taken
    size_t bytes = 0;     ///< bytes asked for
    MemoryOwner owner = MemoryOwner::kActivation;
    bool pinned = false;
    accelerator::Event read = {};  ///< pinned: when a device has last read it
  };
  /// Errors: Error(kIo), "out of memory", with the sizes.
  Block allocate(size_t bytes, MemoryOwner owner);
  void release(const Block& block);

  /// From now on a host's blocks for inputs are pinned: the device copies from them without help,
  /// and a block is not given out again before it has been read. Before the first such block.
  void pin_inputs_for(int device_index) { pinned_for_ = device_index; }

  Device device() const { return device_; }
  /// The queue that orders this pool's memory; null on CPUs.
  const accelerator::Queue& queue() const { return queue_; }
  /// Returns when all work given to the queue is done.
  void synchronize();
  /// `watch` is called every now and then while the host waits in synchronize(), and at its end,
  /// for as long as somebody keeps it; what it throws ends the wait. For work that another process
  /// may never let end.
  void watch(const std::shared_ptr<const std::function<void()>>& watch);

  /// What a vendor's library keeps for this pool's stream (a handle, its workspace, its plans):
  /// made from the queue when first asked for, ended with the pool. One type a pool.
  template <typename Library>
  Library& library() {
    std::lock_guard lock(mutex_);
    if (library_ == nullptr) library_ = std::make_shared<Library>(queue_);
    return *static_cast<Library*>(library_.get());
  }

  /// Bytes asked for and not yet released.
  size_t live_bytes(MemoryOwner owner) const;
  /// The most that live_bytes(owner) has been since reset_peaks().
  size_t peak_bytes(MemoryOwner owner) const;
  /// Bytes taken from the system, cached blocks included.
  size_t reserved_bytes() const;
  void reset_peaks();
  /// Gives cached blocks back to the system.
  void trim();

 private:
  struct PinnedBlock {
    size_t capacity;
    void* data;
    accelerator::Event read;
  };

  void* take(size_t capacity);
  void* take_pinned(size_t capacity);
  void give_back(const Block& block);

  Device device_;
  accelerator::Queue queue_;
  std::shared_ptr<void> library_;
  mutable std::mutex mutex_;
  std::multimap<size_t, void*> free_blocks_;  // capacity -> block
  std::optional<int> pinned_for_;
  std::vector<PinnedBlock> free_pinned_;
  std::array<size_t, kMemoryOwners> live_{};
  std::array<size_t, kMemoryOwners> peak_{};
  size_t reserved_ = 0;
  std::vector<std::weak_ptr<const std::function<void()>>> watches_;
};

}  // namespace lynceus
