// The memory of tensors: a pool per stream that counts live bytes by owner, so that the cost of
// frozen and trained parts can be measured. On CPUs it keeps freed blocks for the next step (a
// fresh page costs more than the arithmetic on it). On a device it is ordered by the stream's
// queue, and the device's runtime keeps the blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/accelerator.h"
#include "core/device.h"

namespace lynceus {

/// What a block of memory is for.
enum class MemoryOwner : uint8_t {
  kActivation,       ///< activations, workspace; between forward and backward: what layers saved
  kFrozenWeight,     ///< weights that are not trained, packed copies included
  kTrainableWeight,  ///< f32 masters of what is trained
  kGradient,
  kMoment,  ///< Adam's m and v
  kInput,   ///< pixels, token ids, labels
  kCount
};
constexpr size_t kMemoryOwners = static_cast<size_t>(MemoryOwner::kCount);
const char* name_of(MemoryOwner owner);

/// What the host does while it waits for a queue.
class Watch {
 public:
  virtual ~Watch() = default;
  /// What it throws ends the wait.
  virtual void look() = 0;
};

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
    size_t capacity = 0;  ///< bytes taken
    size_t bytes = 0;     ///< bytes asked for
    MemoryOwner owner = MemoryOwner::kActivation;
    bool pinned = false;
    accelerator::Event read = {};  ///< pinned: when a device has last read it
  };
  /// Errors: Error(kIo), "out of memory", with the sizes.
  Block allocate(size_t bytes, MemoryOwner owner);
  void release(const Block& block);

  /// From now on a host pool's blocks for inputs are pinned: the device copies from them while the
  /// host continues, and a block is not reused before it has been read. Call before the first such
  /// block.
  void pin_inputs_for(int device_index);

  Device device() const { return device_; }
  /// The queue that orders this pool's memory; null on CPUs.
  const accelerator::Queue& queue() const { return queue_; }
  /// Returns when all work submitted to the queue is done.
  void synchronize();
  /// Calls watch->look() about every millisecond while the host waits in synchronize(), and once at
  /// its end, for as long as somebody owns `watch`. For work that depends on another process, which
  /// may never finish it.
  void watch(const std::shared_ptr<Watch>& watch);

  /// The state of a vendor's library for this pool's stream (a handle, its workspace, its plans):
  /// made from the queue at the first call, destroyed with the pool. One type per pool.
  template <typename Library>
  Library& library() {
    return *static_cast<Library*>(
        library([](const accelerator::Queue& queue) -> std::shared_ptr<void> {
          return std::make_shared<Library>(queue);
        }));
  }

  /// Bytes asked for and not yet released.
  size_t live_bytes(MemoryOwner owner) const;
  /// The maximum of live_bytes(owner) since reset_peaks().
  size_t peak_bytes(MemoryOwner owner) const;
  /// Bytes taken from the system, cached blocks included.
  size_t reserved_bytes() const;
  void reset_peaks();
  /// Gives cached blocks back to the system.
  void trim();

 private:
  struct State;

  void* library(std::shared_ptr<void> (*make)(const accelerator::Queue& queue));
  void* take(size_t capacity);
  void* take_pinned(size_t capacity);
  void give_back(const Block& block);

  Device device_;
  accelerator::Queue queue_;
  std::unique_ptr<State> state_;
};

}  // namespace lynceus
