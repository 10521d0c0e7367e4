// Finds unordered accesses of a launch, and accesses outside allocations. It observes the engine of
// the shim and the accesses that clang's -fsanitize=thread reports (hooks.cpp).
#pragma once

#include <array>
#include <memory>

#include "engine.h"
#include "order.h"
#include "shadow.h"
#include "tests/standin/queue.h"

namespace lynceus::simt::race {

class Detector : public engine::Observer {
 public:
  Detector();
  void begin_launch() override;
  void begin_block() override { order_.begin_block(); }
  void pass_barrier() override { order_.pass_barrier(); }
  void sync_lanes(int first_thread, unsigned mask) override {
    order_.sync_lanes(first_thread, mask);
  }
  void access(const void* address, size_t bytes, engine::Access kind, const void* caller) override;

 private:
  void check_shared(const void* address, size_t bytes, const void* caller) const;
  void check_global(const void* address, size_t bytes, const void* caller);
  [[noreturn]] void report(const Race& race, const void* address, const Moment& now,
                           engine::Access kind, bool shared) const;

  Order order_;
  Shadow shadow_;
  engine::Range shared_;
  engine::Range stacks_;
  engine::Range indices_;                             // threadIdx and its like
  std::array<standin::Allocation, 8> allocations_{};  // recently used
  size_t oldest_ = 0;
};

/// The detector of this process.
extern Detector* const detector;

}  // namespace lynceus::simt::race
