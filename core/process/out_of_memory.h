// What happens when the system gives no more memory.
#pragma once

namespace lynceus {

inline constexpr const char* kOutOfMemory =
    "out of memory: the system refused an allocation. Use fewer ranks on this machine, or allow "
    "more (ulimit -v, the limit of the job); train also needs less with a smaller "
    "micro_batch_tokens or vision_window, or with --train.recompute layer";

/// From now on, on any thread, a failed `new` and an error that no handler catches end the process
/// with one message and the exit code of the error: kIo for memory. `before_exit`, which must need
/// no memory, is called with that code.
void end_when_out_of_memory(void (*before_exit)(int code));

}  // namespace lynceus
