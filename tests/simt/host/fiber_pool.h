// Fibers that run thread after thread: a fiber whose thread never waits takes the next one, so that
// a kernel without barriers costs no switch at all. Stacks lie side by side in one range.
#pragma once

#include <boost/context/fiber.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "engine.h"

namespace lynceus::simt::engine {

class FiberPool {
 public:
  /// `work` is what a fiber does whenever it is given to start(); it returns when it finds no more.
  explicit FiberPool(std::function<void()> work);

  struct Fiber {
    boost::context::fiber self;       // while it does not run
    boost::context::fiber scheduler;  // while it runs
  };

  /// On an idle fiber, until that fiber waits or its work is done.
  void start();
  /// On a fiber that waits.
  void resume(Fiber* fiber);
  /// Of the calling fiber: back to who started or resumed it.
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
