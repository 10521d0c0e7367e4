// Turns a fault on a guard page into a message; other faults go to the previous handler.
#pragma once

#include <functional>

#include "engine.h"

namespace lynceus::simt::engine {

/// `report` is called with the address, on the faulting thread, and must not return.
void report_guard_hits(const Range& guard, std::function<void(const void*)> report);

}  // namespace lynceus::simt::engine
