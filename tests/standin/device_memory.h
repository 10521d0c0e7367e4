// The memory of the device that tests/standin stands in for: poisoned when it is made and when it
// is freed, followed by a zone that nobody may touch, remembered for a while after it is gone. Used
// by Runtime, which holds the lock.
#pragma once

#include <deque>
#include <map>
#include <utility>

#include "queue.h"

namespace lynceus::standin {

class DeviceMemory {
 public:
  /// Null where LYNCEUS_STANDIN_MIB would be passed.
  void* allocate(size_t bytes);
  /// Ends the process where the address is not the beginning of a block.
  void check_allocated(const void* data) const;
  /// What still reads the block finds NaNs from now on. The address comes back much later.
  void free(void* data);

  bool contains(const void* data) const;
  Allocation find(const void* data) const;
  void check_not_freed(const void* data) const;

  static void poison(void* data, size_t bytes);
  size_t held() const { return held_; }
  static size_t limit();

 private:
  std::map<void*, size_t> blocks_;               // with their bytes
  std::deque<std::pair<void*, size_t>> graves_;  // the latest that were freed
  size_t held_ = 0;
};

/// The number in an environment variable.
int64_t from_environment(const char* name, int64_t otherwise);

}  // namespace lynceus::standin
