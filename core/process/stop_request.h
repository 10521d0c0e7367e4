// Whether this process was asked to stop. Set by signal handlers of a run (train/run/signals.h);
// long work that can be left looks at it.
#pragma once

namespace lynceus {

/// Both may be called by signal handlers.
bool stop_is_requested();
void set_stop_requested(bool requested);

/// Error of ExitCode::kRequeue, "stopped on request while DOING", if stop_is_requested().
void leave_if_requested(const char* doing);

}  // namespace lynceus
