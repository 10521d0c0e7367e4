// The end of this process and of all ranks, from a thread that cannot throw to main().
#pragma once

#include "core/error.h"

namespace lynceus {

/// Set once, by main(): ends all ranks of the job, from any thread, also while another thread hangs
/// in a library.
void set_end_of_job(void (*end)(int code));

/// Ends the job with `code`. This process ends at the latest after ten seconds, whatever hangs.
[[noreturn]] void end_job(ExitCode code);

}  // namespace lynceus
