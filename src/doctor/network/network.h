// Latency and bandwidth of the communicators of the grid, and whether they deliver what was sent.
//
// World, tensor and data groups: an all-reduce in place. Pipeline and replica groups: an exchange
// with the neighbours in a ring. All groups of a kind work at the same time, as in a step; the time
// is that of the slowest rank, the best of some repetitions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "doctor/needs.h"
#include "parallel/runtime.h"

namespace lynceus::doctor {

struct NetworkOptions {
  bool quick = false;        ///< 8 B and 1 MiB instead of 8 B, 1, 16 and 256 MiB
  double seconds = 20;       ///< of all measurements together, about
  int64_t buffer_bytes = 0;  ///< the largest message that fits into this rank's memory
  std::function<void(const std::string&)> progress;  ///< what is measured now
};

/// Collective.
CheckResults check_network(const Runtime& rt, const Needs& needs, const NetworkOptions& options);

}  // namespace lynceus::doctor
