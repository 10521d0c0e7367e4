// The machine that tests/simt/host/simt.h uses: a fiber per thread, what the threads wait for, the
// memory of a block, and an observer (the race detector, tests/simt/race).
#pragma once

#include <vector_types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "core/error.h"

namespace lynceus::simt::engine {

/// A place in a source. (clang 14, which compiles the race build, lacks std::source_location.)
struct Site {
  const char* file;
  int line;
  static constexpr Site current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};
bool operator==(const Site& a, const Site& b);
std::string place(const Site& site);

struct Launch {
  const void* kernel;  ///< for reports
  dim3 grid;
  dim3 block;
  size_t shared_bytes;
  std::function<void()> thread;  ///< the kernel with its arguments
};

/// Puts a launch into a stream's queue (tests/standin/queue.h).
void enqueue_launch(void* stream, Launch launch);

/// Runs all blocks now.
void run(const Launch& launch);

/// The number of the running thread in its block; -1 outside kernels.
extern int running;

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

/// An asynchronous copy of 16 bytes in the open group of the thread.
struct Copy {
  void* target;
  const void* source;  ///< null: zeros land
  const void* caller;  ///< address of the calling code
};
void start_copy(const Copy& copy, const Site& site);
void commit_copies();
void wait_for_copies(int pending);

/// Ends the process with the message, the thread, the block, and what all other threads wait for.
[[noreturn]] void fail_with(const std::string& message);
template <typename... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fail_with(fmt::format(format, std::forward<Arguments>(arguments)...));
}

/// For accesses that a GPU refuses because of their alignment.
[[noreturn]] void fail_unaligned(size_t alignment);

enum class Access : uint8_t { kRead, kWrite, kAtomic };

/// Is notified of everything that orders threads, and of the accesses that the engine makes for
/// them.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin_launch() = 0;
  virtual void begin_block() = 0;
  virtual void pass_barrier() = 0;
  virtual void sync_lanes(int first_thread, unsigned mask) = 0;
  virtual void access(const void* address, size_t bytes, Access kind, const void* caller) = 0;
};
/// At most one, for the rest of the process.
void observe(Observer* observer);
bool observed();
void tell_access(const void* address, size_t bytes, Access kind, const void* caller);

/// The shared memory of the running block, and the stacks of its threads.
struct Range {
  const unsigned char* begin = nullptr;
  const unsigned char* end = nullptr;
  bool contains(const void* address) const { return begin <= address && address < end; }
};
Range shared_memory();  // and the guard page after it
/// Whether this memory belongs to the running block.
bool owns_shared(const void* address, size_t bytes);
std::string describe_shared(const void* address);
Range stacks();

}  // namespace lynceus::simt::engine
