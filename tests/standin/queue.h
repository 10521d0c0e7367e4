// The stand-in for a device: host memory, and work that is queued by stream and done late, in an
// order that a device would be free to choose. What a stream does not have to have done when the
// host looks, it has not done; whoever forgets to wait reads NaNs or old values.
//
// Environment: LYNCEUS_STANDIN_SEED (order among streams), LYNCEUS_STANDIN_DEVICES (how many, 1),
// LYNCEUS_STANDIN_MIB (memory of a device).
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace lynceus::standin {

/// Behind all work of the stream so far.
void enqueue(void* stream, std::function<void()> work);

/// The same for work that other processes take part in: it is called again until it says that it is
/// done, and meanwhile other streams go on.
void enqueue_tries(void* stream, std::function<bool()> work);

/// For queued work: moves the clock on that events are timed by; nothing else takes time.
void spend(double milliseconds);

/// Does a piece of work of some stream, if any can be done.
void progress();

/// Whether the address lies in memory of the device.
bool is_device_memory(const void* data);

/// A piece of device memory, and the zone behind it that nobody may touch.
struct Allocation {
  const unsigned char* begin = nullptr;
  size_t bytes = 0;
  const unsigned char* end_of_zone = nullptr;
  bool freed = false;
};
/// The one that holds the address, freed ones for some time too; begin is null where none does.
Allocation allocation_at(const void* data);

/// For queued work: ends the process where the address lies in memory that was freed.
void check_not_freed(const void* data);

/// Ends the process: something no device would do.
[[noreturn]] void fail(const std::string& message);

}  // namespace lynceus::standin
