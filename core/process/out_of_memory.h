// What happens when the system gives no more memory.
#pragma once

#include <cstddef>
#include <exception>

namespace lynceus {

inline constexpr const char* kOutOfMemory =
    "out of memory: the system refused an allocation or a thread. Use fewer ranks on this machine, "
    "or allow "
    "more (ulimit -v, the limit of the job); train also needs less with a smaller "
    "micro_batch_tokens or vision_window, or with --train.recompute layer";

/// Whether an exception says that the system gave no memory, or refused a thread or a mapping.
bool is_out_of_memory(const std::exception& error);

/// Error of ExitCode::kIo, kOutOfMemory, unless the system would now give this process `bytes`.
/// Some libraries crash where an allocation fails (HDF5 when it opens a file, oneDNN when it
/// compiles a product), so this is asked before them. Takes about a microsecond.
void expect_memory(size_t bytes);

/// From now on, on any thread, a failed `new` and an error that no handler catches end the process
/// with one message and the exit code of the error: kIo for memory. `before_exit`, which must need
/// no memory, is called with that code.
void end_when_out_of_memory(void (*before_exit)(int code));

}  // namespace lynceus
