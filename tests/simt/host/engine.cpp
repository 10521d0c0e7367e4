// Fibers for threads (Boost.Context). A block runs until every thread has ended or nothing can go
// on; then whoever waits for whom is told and the process ends.
#include "engine.h"

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace lynceus::simt::engine {
namespace {

namespace context = boost::context;

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 64 * 1024;
constexpr size_t kRedZone = 256;
constexpr unsigned char kPoison = 0xff;  // NaN in every floating type

enum class State : uint8_t { kReady, kAtBarrier, kInCollective, kEnded };

struct Thread {
  context::fiber fiber;
  context::fiber* scheduler = nullptr;  // where it goes back to, while it runs
  State state = State::kReady;
  uint3 index{};
  Site barrier;
  Collective call{};
  std::vector<Copy> open_copies;
  std::deque<std::vector<Copy>> copy_groups;
};

/// Keeps the stacks of ended fibers for the next ones.
class StackCache {
 public:
  struct Allocator {
    StackCache* cache;
    context::stack_context allocate() { return cache->take(); }
    void deallocate(context::stack_context& stack) { cache->free_.push_back(stack); }
  };

 private:
  context::stack_context take() {
    if (free_.empty()) return context::fixedsize_stack(kStackBytes).allocate();
    const context::stack_context stack = free_.back();
    free_.pop_back();
    return stack;
  }
  std::vector<context::stack_context> free_;
};

bool descending() {
  static const bool value = [] {
    const char* order = std::getenv("LYNCEUS_SIMT_ORDER");
    if (order == nullptr || std::strcmp(order, "ascending") == 0) return false;
    if (std::strcmp(order, "descending") == 0) return true;
    std::fprintf(stderr, "LYNCEUS_SIMT_ORDER: expected ascending or descending, found %s\n", order);
    std::abort();
  }();
  return value;
}

std::string place(const Site& site) { return fmt::format("{}:{}", site.file_name(), site.line()); }

class Machine {
 public:
  void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread) {
    const size_t count = size_t{block.x} * block.y * block.z;
    if (count == 0 || count > 1024) fail("a block of {} threads", count);
    if (shared_bytes > 227 * 1024) fail("a block with {} bytes of shared memory", shared_bytes);
    gridDim = grid;
    blockDim = block;
    shared_bytes_ = shared_bytes;
    dynamic_.resize(shared_bytes + kRedZone + 128);
    threads_.resize(count);
    for (unsigned z = 0; z < grid.z; ++z)
      for (unsigned y = 0; y < grid.y; ++y)
        for (unsigned x = 0; x < grid.x; ++x) {
          blockIdx = {x, y, z};
          run_block(thread);
        }
    current_ = nullptr;
  }

  Thread& current() {
    if (current_ == nullptr) {
      std::fprintf(stderr, "simt: device code outside of a kernel\n");
      std::abort();
    }
    return *current_;
  }

  int lane_of(const Thread& thread) const {
    return static_cast<int>(&thread - threads_.data()) % kWarp;
  }

  void* dynamic_shared() {
    const auto address = reinterpret_cast<uintptr_t>(dynamic_.data());
    return reinterpret_cast<void*>((address + 127) / 128 * 128);
  }

  void* static_shared(const void* key, size_t bytes) {
    auto& memory = static_[key];
    if (memory.empty()) {
      memory.resize(bytes + 128);
      std::memset(memory.data(), kPoison, memory.size());
    }
    const auto address = reinterpret_cast<uintptr_t>(memory.data());
    return reinterpret_cast<void*>((address + 127) / 128 * 128);
  }

  void wait() {
    Thread& mine = current();
    *mine.scheduler = std::move(*mine.scheduler).resume();
  }

  /// Lanes of this thread's warp whose calls match, when every lane of the mask has come; else
  /// empty.
  void join(const Collective& call) {
    Thread& mine = current();
    if ((call.mask >> lane_of(mine) & 1u) == 0)
      fail("{}: lane {} calls a collective for lanes {:#x}, without itself", place(call.site),
           lane_of(mine), call.mask);
    mine.call = call;
    mine.state = State::kInCollective;
    Thread* const warp = &mine - lane_of(mine);
    const auto lanes = std::min<ptrdiff_t>(kWarp, threads_.data() + threads_.size() - warp);
    Lanes operands{};
    for (int i = 0; i < kWarp; ++i) {
      if ((call.mask >> i & 1u) == 0) continue;
      if (i >= lanes) fail("{}: lane {} of the mask does not exist", place(call.site), i);
      const Thread& other = warp[i];
      if (other.state != State::kInCollective || other.call.kind != call.kind ||
          other.call.mask != call.mask || other.call.site.line() != call.site.line() ||
          std::strcmp(other.call.site.file_name(), call.site.file_name()) != 0)
        return wait();
      operands[i] = other.call.operand;
    }
    if (call.compute != nullptr) call.compute(operands);
    for (int i = 0; i < kWarp; ++i)
      if (call.mask >> i & 1u) warp[i].state = State::kReady;
  }

  [[noreturn]] void fail_with(const std::string& message) {
    std::fprintf(stderr, "simt: %s\n", message.c_str());
    if (current_ != nullptr)
      std::fprintf(stderr, "  in thread (%u, %u, %u) of block (%u, %u, %u)\n", current_->index.x,
                   current_->index.y, current_->index.z, blockIdx.x, blockIdx.y, blockIdx.z);
    std::map<std::string, std::pair<int, int>> waits;  // what -> how many, the first
    for (size_t i = 0; i < threads_.size(); ++i) {
      const Thread& thread = threads_[i];
      std::string what = "can go on";
      if (thread.state == State::kEnded) what = "have ended";
      if (thread.state == State::kAtBarrier) what = "wait at the barrier " + place(thread.barrier);
      if (thread.state == State::kInCollective)
        what = fmt::format("wait in the collective {} for lanes {:#x}", place(thread.call.site),
                           thread.call.mask);
      auto& [count, first] = waits[what];
      if (count++ == 0) first = static_cast<int>(i);
    }
    for (const auto& [what, threads] : waits)
      std::fprintf(stderr, "  %d threads from %d on %s\n", threads.first, threads.second,
                   what.c_str());
    std::fflush(stderr);
    std::abort();
  }

  template <typename... Arguments>
  [[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fail_with(fmt::format(format, std::forward<Arguments>(arguments)...));
  }

 private:
  void start(Thread* thread, size_t number, const std::function<void()>& body) {
    const auto n = static_cast<unsigned>(number);
    thread->index = {n % blockDim.x, n / blockDim.x % blockDim.y, n / blockDim.x / blockDim.y};
    thread->state = State::kReady;
    thread->open_copies.clear();
    thread->copy_groups.clear();
    thread->fiber = context::fiber(std::allocator_arg, StackCache::Allocator{&stacks_},
                                   [thread, &body](context::fiber&& scheduler) {
                                     thread->scheduler = &scheduler;
                                     body();
                                     thread->state = State::kEnded;
                                     return std::move(scheduler);
                                   });
  }

  void step(Thread* thread, size_t number, const std::function<void()>& body) {
    current_ = thread;
    if (!thread->fiber && thread->state == State::kReady) start(thread, number, body);
    threadIdx = thread->index;
    thread->fiber = std::move(thread->fiber).resume();
  }

  /// Each lane once, until it must wait. Whether there was one that could go on.
  bool run_warp(size_t warp, const std::function<void()>& body) {
    const size_t first = warp * kWarp, lanes = std::min<size_t>(kWarp, threads_.size() - first);
    bool any = false;
    for (size_t turn = 0; turn < lanes; ++turn) {
      const size_t number = first + (descending() ? lanes - 1 - turn : turn);
      while (threads_[number].state == State::kReady) {
        any = true;
        step(&threads_[number], number, body);
      }
    }
    return any;
  }

  void run_block(const std::function<void()>& body) {
    std::memset(dynamic_.data(), kPoison, dynamic_.size());
    for (auto& [key, memory] : static_) std::memset(memory.data(), kPoison, memory.size());
    for (Thread& thread : threads_) thread.state = State::kReady;
    // A warp goes as far as it can before another does anything: as far ahead as a GPU may let it.
    const size_t warps = (threads_.size() + kWarp - 1) / kWarp;
    for (bool any = true; any;) {
      any = false;
      for (size_t turn = 0; turn < warps; ++turn)
        while (run_warp(descending() ? warps - 1 - turn : turn, body)) any = true;
      if (!any) any = pass_barrier();
    }
    check_end();
  }

  /// Nobody can go on: all have ended, or all are at one barrier, or something is wrong.
  bool pass_barrier() {
    size_t ended = 0, at_barrier = 0;
    const Thread* first = nullptr;
    for (const Thread& thread : threads_) {
      ended += thread.state == State::kEnded;
      if (thread.state != State::kAtBarrier) continue;
      ++at_barrier;
      if (first == nullptr) first = &thread;
      if (first->barrier.line() != thread.barrier.line() ||
          std::strcmp(first->barrier.file_name(), thread.barrier.file_name()) != 0)
        fail("threads of one block wait at different barriers");
    }
    if (ended == threads_.size()) return false;
    if (at_barrier != threads_.size())
      fail("threads wait for others that do not come: {} at a barrier, {} in collectives, {} ended",
           at_barrier, threads_.size() - at_barrier - ended, ended);
    for (Thread& thread : threads_) thread.state = State::kReady;
    return true;
  }

  void check_end() {
    for (const Thread& thread : threads_) {
      bool pending = !thread.open_copies.empty();
      for (const auto& group : thread.copy_groups) pending |= !group.empty();
      if (pending)
        fail("thread {} ended before its asynchronous copies", &thread - threads_.data());
    }
    const auto* const end = static_cast<unsigned char*>(dynamic_shared()) + shared_bytes_;
    for (size_t i = 0; i < kRedZone / 2; ++i)
      if (end[i] != kPoison)
        fail("byte {} behind {} bytes of shared memory was written", i, shared_bytes_);
  }

  std::vector<Thread> threads_;
  Thread* current_ = nullptr;
  StackCache stacks_;
  std::vector<unsigned char> dynamic_;
  std::map<const void*, std::vector<unsigned char>> static_;
  size_t shared_bytes_ = 0;
};

Machine& machine() {
  static Machine instance;
  return instance;
}

}  // namespace

void run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& thread) {
  machine().run(grid, block, shared_bytes, thread);
}

int lane() { return machine().lane_of(machine().current()); }
void* static_shared(const void* key, size_t bytes) { return machine().static_shared(key, bytes); }
void* dynamic_shared() { return machine().dynamic_shared(); }

void sync_block(const Site& site) {
  Thread& mine = machine().current();
  mine.barrier = site;
  mine.state = State::kAtBarrier;
  machine().wait();
}

void collective(const Collective& call) { machine().join(call); }

void start_copy(const Copy& copy, const Site& site) {
  if (reinterpret_cast<uintptr_t>(copy.target) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(copy.source) % 16 != 0)
    machine().fail("{}: an asynchronous copy of unaligned bytes", place(site));
  std::memset(copy.target, kPoison, 16);
  machine().current().open_copies.push_back(copy);
}

void commit_copies() {
  Thread& mine = machine().current();
  mine.copy_groups.push_back(std::move(mine.open_copies));
  mine.open_copies.clear();
}

void wait_for_copies(int pending) {
  Thread& mine = machine().current();
  while (mine.copy_groups.size() > static_cast<size_t>(pending)) {
    for (const Copy& copy : mine.copy_groups.front()) {
      if (copy.source == nullptr)
        std::memset(copy.target, 0, 16);
      else
        std::memcpy(copy.target, copy.source, 16);
    }
    mine.copy_groups.pop_front();
  }
}

void fail_with(const std::string& message) { machine().fail_with(message); }

}  // namespace lynceus::simt::engine
