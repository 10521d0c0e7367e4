// What the system lets this process have: locked memory, open files, shared memory, address space,
// stack, processes.
#pragma once

#include <cstdint>
#include <optional>

#include "doctor/check_result.h"

namespace lynceus::doctor {

/// Of this process; nullopt: not limited. Bytes or numbers.
struct ProcessLimits {
  std::optional<int64_t> locked_memory, open_files, address_space, stack, processes;
  bool is_root = false;  ///< the limit on processes does not count for it
};
ProcessLimits read_limits();

/// Of the file system for shared memory, bytes.
struct SharedMemory {
  int64_t total = 0, free = 0;
};
/// nullopt: there is no /dev/shm.
std::optional<SharedMemory> read_shared_memory(const char* folder = "/dev/shm");

/// What the limits are compared with.
struct LimitNeeds {
  int world = 1, ranks_on_node = 1, threads = 1;
  bool has_fast_network = false;  ///< InfiniBand and the like: the network card reads memory itself
};

CheckResults check_limits(const ProcessLimits& limits, const LimitNeeds& needs);
CheckResult check_shared_memory(const std::optional<SharedMemory>& memory, const LimitNeeds& needs);

/// Whether this machine has a card of InfiniBand, Omni-Path or RoCE.
bool has_fast_network();

}  // namespace lynceus::doctor
