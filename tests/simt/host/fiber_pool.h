// Fibers that run one thread after the other: a fiber whose thread did not wait runs the next
// thread, so a kernel without barriers needs no switch. All stacks are in one address range.
#pragma once

#include <boost/context/fiber.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "engine.h"

namespace lynceus::simt::engine {

class FiberPool {
 public:
  /// A fiber runs `work` each time start() is called; `work` returns when no thread is left.
  explicit FiberPool(std::function<void()> work);

  struct Fiber {
    boost::context::fiber self;       // while it does not run
    boost::context::fiber scheduler;  // while it runs
  };

  /// Runs an idle fiber until it waits or its work is done.
  void start();
  /// Continues a fiber that waits.
  void resume(Fiber* fiber);
  /// Called on a fiber: returns to the caller of start() or resume().
  void wait();

  Fiber* current() const { return current_; }
  Range stacks() const { return stacks_; }

 private:
  void grow();

  std::function<void()> work_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* current_ = nullptr;
  Range stacks_;
};

}  // namespace lynceus::simt::engine
