// One range of stacks, each with a guard page below it. No fiber ever ends.
#include "fiber_pool.h"

#include <sys/mman.h>

#include <boost/context/stack_context.hpp>
#include <utility>

namespace lynceus::simt::engine {
namespace {

constexpr size_t kMostFibers = 1024;
constexpr size_t kStackBytes = 128 * 1024;
constexpr size_t kGuardBytes = 4096;
// Stacks that begin at the same offset of a page would share the few ways of one cache set.
constexpr size_t kStackStagger = 5 * 64;
constexpr size_t kStackOffsets = 128;

/// A stack of the pool's range, which is never freed.
struct Given {
  unsigned char* begin;
  size_t offset;
  boost::context::stack_context allocate() {
    boost::context::stack_context stack;
    stack.size = kStackBytes - kGuardBytes - offset;
    stack.sp = begin + kStackBytes - offset;
    return stack;
  }
  void deallocate(boost::context::stack_context&) {}
};

}  // namespace

FiberPool::FiberPool(std::function<void()> work) : work_(std::move(work)) {
  const size_t bytes = kMostFibers * kStackBytes;
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("no memory for the stacks of {} threads", kMostFibers);
  const auto* const begin = static_cast<const unsigned char*>(memory);
  stacks_ = {begin, begin + bytes};
}

void FiberPool::grow() {
  if (fibers_.size() == kMostFibers) fail("more than {} threads wait", kMostFibers);
  auto* const begin = const_cast<unsigned char*>(stacks_.begin) + fibers_.size() * kStackBytes;
  if (mprotect(begin, kGuardBytes, PROT_NONE) != 0) fail("no guard page below a stack");
  const size_t offset = fibers_.size() % kStackOffsets * kStackStagger;
  Fiber* const fiber = fibers_.emplace_back(std::make_unique<Fiber>()).get();
  fiber->self = boost::context::fiber(
      std::allocator_arg, Given{begin, offset},
      [this, fiber](boost::context::fiber&& scheduler) -> boost::context::fiber {
        fiber->scheduler = std::move(scheduler);
        for (;;) {
          work_();
          idle_.push_back(fiber);
          wait();
        }
      });
  idle_.push_back(fiber);
}

void FiberPool::start() {
  if (idle_.empty()) grow();
  Fiber* const fiber = idle_.back();
  idle_.pop_back();
  resume(fiber);
}

void FiberPool::resume(Fiber* fiber) {
  current_ = fiber;
  fiber->self = std::move(fiber->self).resume();
  current_ = nullptr;
}

void FiberPool::wait() {
  Fiber* const mine = current_;
  mine->scheduler = std::move(mine->scheduler).resume();
}

}  // namespace lynceus::simt::engine
