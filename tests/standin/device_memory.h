// The memory of the stand-in device: filled with NaNs when allocated and when freed, followed by a
// guard zone, and kept for a while after it is freed. The caller must hold the lock of Runtime.
#pragma once

#include <deque>
#include <map>
#include <utility>

#include "queue.h"

namespace lynceus::standin {

class DeviceMemory {
 public:
  /// Null if the allocation would exceed LYNCEUS_STANDIN_MIB.
  void* allocate(size_t bytes);
  /// Ends the process if the address is not the beginning of a block.
  void check_allocated(const void* data) const;
  /// Later reads of the block find NaNs. Its address is reused much later.
  void free(void* data);

  bool contains(const void* data) const;
  Allocation find(const void* data) const;
  void check_not_freed(const void* data) const;

  static void poison(void* data, size_t bytes);
  size_t held() const { return held_; }
  static size_t limit();

 private:
  std::map<void*, size_t> blocks_;               // address -> size in bytes
  std::deque<std::pair<void*, size_t>> graves_;  // the most recently freed blocks
  size_t held_ = 0;
};

/// The number in an environment variable; `otherwise` if it is not set.
int64_t from_environment(const char* name, int64_t otherwise);

}  // namespace lynceus::standin
