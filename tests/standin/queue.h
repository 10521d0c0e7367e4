// The stand-in for a device: host memory, and a queue of work per stream. Work is done as late as a
// device may do it, in any order that a device could choose. A caller that forgets to wait reads
// NaNs or old values.
//
// Environment: LYNCEUS_STANDIN_SEED (seed of the order among streams, 1), LYNCEUS_STANDIN_DEVICES
// (number of devices, 1), LYNCEUS_STANDIN_MIB (memory of each device, 4096).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace lynceus::standin {

/// Adds work after all earlier work of the stream.
void enqueue(void* stream, std::function<void()> work);

/// The same for work that needs other processes: it is called again until it returns true, and
/// meanwhile other streams continue.
void enqueue_tries(void* stream, std::function<bool()> work);

/// For queued work: advances the clock of the events; nothing else takes time on it.
void spend(double milliseconds);

/// Runs the next work of one stream, if one is ready.
void progress();

/// What the host has asked of the device so far.
struct Counts {
  int64_t launches = 0;     ///< of kernels
  int64_t products = 0;     ///< by cuBLASLt
  int64_t copies = 0;       ///< and fills
  int64_t allocations = 0;  ///< of device memory
  int64_t events = 0;       ///< recorded
  int64_t events_made = 0;
  int64_t waits = 0;        ///< of the host, for a stream or an event
  int64_t collectives = 0;  ///< NCCL calls; a group of sends and receives is one
  Counts operator-(const Counts& other) const;
  bool operator==(const Counts&) const = default;
};
/// For the caller to read; work that several threads submit is counted under the runtime's lock.
Counts& counts();

/// Whether the address is in memory of the device.
bool is_device_memory(const void* data);

/// An allocation of device memory, and the guard zone after it.
struct Allocation {
  const unsigned char* begin = nullptr;
  size_t bytes = 0;
  const unsigned char* end_of_zone = nullptr;
  bool freed = false;
};
/// The allocation that contains the address, also a recently freed one; begin is null if there is
/// none.
Allocation allocation_at(const void* data);

/// For queued work: ends the process if the address is in freed memory.
void check_not_freed(const void* data);

/// Ends the process with the message: the caller used the device in a wrong way.
[[noreturn]] void fail(const std::string& message);

}  // namespace lynceus::standin
