#include "core/process/stop_request.h"

#include <atomic>

#include "core/error.h"

namespace lynceus {
namespace {

std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

bool stop_is_requested() { return stop_requested; }
void set_stop_requested(bool requested) { stop_requested = requested; }

void leave_if_requested(const char* doing) {
  if (stop_requested)
    throw Error(ExitCode::kRequeue, fmt::format("stopped on request while {}", doing));
}

}  // namespace lynceus
