// The memory behind tensors: a pool per stream that keeps freed blocks for the next step (on CPUs a
// fresh page costs more than the arithmetic on it) and counts live bytes by owner, so that "frozen
// costs nothing" can be measured.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

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

/// Thread-safe. Blocks are aligned to 64 bytes.
class MemoryPool {
 public:
  explicit MemoryPool(Device device) : device_(device) {}
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  struct Block {
    void* data = nullptr;
    size_t capacity = 0;  ///< bytes really taken
    size_t bytes = 0;     ///< bytes asked for
    MemoryOwner owner = MemoryOwner::kActivation;
  };
  Block allocate(size_t bytes, MemoryOwner owner);
  void release(const Block& block);

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
  Device device_;
  mutable std::mutex mutex_;
  std::multimap<size_t, void*> free_blocks_;  // capacity -> block
  std::array<size_t, kMemoryOwners> live_{};
  std::array<size_t, kMemoryOwners> peak_{};
  size_t reserved_ = 0;
};

}  // namespace lynceus
