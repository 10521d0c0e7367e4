// The machine under tests/simt/host/simt.h: fibers, what they wait for, the memory of a block.
#pragma once

#include <vector_types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>

#include "core/error.h"

namespace lynceus::simt::engine {

using Site = std::source_location;

/// Puts a launch into a stream's queue (tests/standin/queue.h).
void enqueue_launch(void* stream, dim3 grid, dim3 block, size_t shared_bytes,
                    std::function<void()> thread);

/// Runs all blocks now. `thread` is the kernel with its arguments.
void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread);

// Of the running thread.
int lane();
void* static_shared(const void* key, size_t bytes);
void* dynamic_shared();
void sync_block(const Site& site);

enum class Kind : uint8_t { kSync, kShuffle, kBallot, kMma, kLoadMatrix };

/// The operands of a warp collective by lane; null where a lane takes no part.
using Lanes = std::array<void*, 32>;

struct Collective {
  Kind kind;
  unsigned mask;
  Site site;
  void* operand;                  ///< this lane's; lives until the collective is over
  void (*compute)(const Lanes&);  ///< run once, when all lanes of the mask are there
};
void collective(const Collective& call);

/// An asynchronous copy of 16 bytes, in the thread's open group.
struct Copy {
  void* target;
  const void* source;  ///< null: zeros land
};
void start_copy(const Copy& copy, const Site& site);
void commit_copies();
void wait_for_copies(int pending);

/// Ends the process: the message, the thread, the block, what all others wait for.
[[noreturn]] void fail_with(const std::string& message);
template <typename... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fail_with(fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace lynceus::simt::engine
