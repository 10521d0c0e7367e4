// A block runs until every thread has ended. If no thread can continue before that, the process
// ends with a message that says which threads wait for what. Warps, and lanes within a warp, run in
// ascending or descending order (LYNCEUS_SIMT_ORDER), each for as long as it can.
#include "engine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "block_memory.h"
#include "fiber_pool.h"
#include "guard.h"
#include "where.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace lynceus::simt::engine {

int running = -1;

namespace {

constexpr int kWarp = 32;

enum class State : uint8_t { kNew, kReady, kAtBarrier, kInCollective, kEnded };

struct Thread {
  FiberPool::Fiber* fiber = nullptr;
  State state = State::kNew;
  uint3 index{};
  Site barrier{};
  Collective call{};
  std::vector<Copy> copies;         // not landed yet, oldest first
  std::vector<size_t> copy_groups;  // how many of them each committed group has
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

class Machine {
 public:
  Machine() : fibers_([this] { run_new_threads(); }) {
    report_guard_hits(memory_.guard(), [this](const void* address) {
      fail_with("touched " + memory_.describe(address));
    });
  }

  void run(const Launch& launch) {
    check(launch);
    launch_ = &launch;
    gridDim = launch.grid;
    blockDim = launch.block;
    memory_.begin_launch(launch.shared_bytes);
    threads_.resize(size_t{launch.block.x} * launch.block.y * launch.block.z);
    waiting_lanes_.assign((threads_.size() + kWarp - 1) / kWarp, 0);
    for (size_t i = 0; i < threads_.size(); ++i) {
      const auto n = static_cast<unsigned>(i);
      threads_[i].index = {n % blockDim.x, n / blockDim.x % blockDim.y,
                           n / blockDim.x / blockDim.y};
    }
    if (observer_ != nullptr) observer_->begin_launch();
    for (unsigned z = 0; z < launch.grid.z; ++z)
      for (unsigned y = 0; y < launch.grid.y; ++y)
        for (unsigned x = 0; x < launch.grid.x; ++x) {
          blockIdx = {x, y, z};
          run_block();
        }
    launch_ = nullptr;
  }

  Thread& current() {
    if (running < 0) fail("device code outside of a kernel");
    return threads_[static_cast<size_t>(running)];
  }
  BlockMemory& memory() { return memory_; }
  Range stacks() const { return fibers_.stacks(); }
  Observer* observer() const { return observer_; }
  void set_observer(Observer* observer) { observer_ = observer; }

  void wait_in(State state) {
    current().state = state;
    current().fiber = fibers_.current();
    fibers_.wait();
  }

  void join(const Collective& call);
  [[noreturn]] void fail_with(const std::string& message);

 private:
  void check(const Launch& launch) const {
    const size_t count = size_t{launch.block.x} * launch.block.y * launch.block.z;
    if (running >= 0) fail("a launch from within a kernel");
    if (count == 0 || count > 1024 || launch.block.z > 64)
      fail("blocks of {} x {} x {} threads", launch.block.x, launch.block.y, launch.block.z);
    if (launch.grid.x > 0x7fffffffu || launch.grid.y > 65535 || launch.grid.z > 65535)
      fail("a grid of {} x {} x {} blocks", launch.grid.x, launch.grid.y, launch.grid.z);
    if (launch.shared_bytes > kMostShared)
      fail("a block with {} bytes of shared memory", launch.shared_bytes);
  }

  /// The number of the thread that has this turn in the warp.
  size_t at_turn(size_t turn) const {
    return warp_first_ + (descending() ? warp_lanes_ - 1 - turn : turn);
  }

  /// Runs on a fiber: new threads of the warp, one after the other, until one of them waits.
  void run_new_threads() {
    while (next_new_ < warp_lanes_ && threads_[at_turn(next_new_)].state == State::kNew) {
      become(at_turn(next_new_++));
      launch_->thread();
      current().state = State::kEnded;
    }
  }

  void become(size_t number) {
    running = static_cast<int>(number);
    threadIdx = threads_[number].index;
  }

  void run_block();
  bool run_warp(size_t warp);
  bool pass_barrier();
  void check_end();

  std::vector<Thread> threads_;
  std::vector<unsigned> waiting_lanes_;     // per warp: the lanes in a collective
  size_t warp_first_ = 0, warp_lanes_ = 0;  // threads of the warp that runs
  size_t next_new_ = 0;                     // a turn in it
  const Launch* launch_ = nullptr;
  BlockMemory memory_;
  FiberPool fibers_;
  Observer* observer_ = nullptr;
};

void Machine::run_block() {
  memory_.begin_block();
  if (observer_ != nullptr) observer_->begin_block();
  for (Thread& thread : threads_) thread.state = State::kNew;
  // A warp runs as far as it can before another starts: as far ahead as a GPU may let it run.
  const size_t warps = waiting_lanes_.size();
  do {
    for (size_t turn = 0; turn < warps; ++turn)
      while (run_warp(descending() ? warps - 1 - turn : turn)) continue;
  } while (pass_barrier());
  check_end();
}

/// Runs each lane once, until it must wait. Returns whether a lane could continue.
bool Machine::run_warp(size_t warp) {
  warp_first_ = warp * kWarp;
  warp_lanes_ = std::min<size_t>(kWarp, threads_.size() - warp_first_);
  bool any = false;
  for (size_t turn = 0; turn < warp_lanes_; ++turn) {
    Thread& thread = threads_[at_turn(turn)];
    if (thread.state == State::kNew) {
      any = true;
      next_new_ = turn;
      fibers_.start();
    } else if (thread.state == State::kReady) {
      any = true;
      become(at_turn(turn));
      fibers_.resume(thread.fiber);
    }
  }
  return any;
}

/// No thread can continue: all have ended, or all are at one barrier, or there is an error.
bool Machine::pass_barrier() {
  running = -1;
  size_t ended = 0, at_barrier = 0;
  const Site* first = nullptr;
  for (const Thread& thread : threads_) {
    ended += thread.state == State::kEnded;
    if (thread.state != State::kAtBarrier) continue;
    ++at_barrier;
    if (first == nullptr) first = &thread.barrier;
    if (!(*first == thread.barrier)) fail("threads of one block wait at different barriers");
  }
  if (ended == threads_.size()) return false;
  if (at_barrier != threads_.size())
    fail("threads wait for others that do not come: {} at a barrier, {} in collectives, {} ended",
         at_barrier, threads_.size() - at_barrier - ended, ended);
  for (Thread& thread : threads_) thread.state = State::kReady;
  if (observer_ != nullptr) observer_->pass_barrier();
  return true;
}

void Machine::check_end() {
  for (Thread& thread : threads_) {
    if (!thread.copies.empty())
      fail("thread {} ended before its asynchronous copies", &thread - threads_.data());
    thread.copy_groups.clear();
  }
  const std::string damage = memory_.damage();
  if (!damage.empty()) fail_with(damage);
}

/// Returns when every lane of the mask has made the same call.
void Machine::join(const Collective& call) {
  Thread& mine = current();
  const int lane = running % kWarp;
  Thread* const warp = &mine - lane;
  const auto lanes = std::min<ptrdiff_t>(kWarp, threads_.data() + threads_.size() - warp);
  if ((call.mask >> lane & 1u) == 0)
    fail("{}: lane {} calls a collective for lanes {:#x}, without itself", place(call.site), lane,
         call.mask);
  if (lanes < kWarp && call.mask >> lanes != 0)
    fail("{}: a collective for lanes {:#x}, and there are {}", place(call.site), call.mask, lanes);
  mine.call = call;
  unsigned& waiting = waiting_lanes_[static_cast<size_t>(running / kWarp)];
  waiting |= 1u << lane;
  if ((waiting & call.mask) != call.mask) return wait_in(State::kInCollective);
  Lanes operands{};
  for (int i = 0; i < lanes; ++i) {
    if ((call.mask >> i & 1u) == 0) continue;
    const Collective& other = warp[i].call;
    if (other.kind != call.kind || other.mask != call.mask || !(other.site == call.site))
      return wait_in(State::kInCollective);
    operands[static_cast<size_t>(i)] = other.operand;
  }
  if (call.compute != nullptr) call.compute(operands);
  waiting &= ~call.mask;
  for (int i = 0; i < lanes; ++i)
    if ((call.mask >> i & 1u) != 0 && i != lane) warp[i].state = State::kReady;
  if (call.kind == Kind::kSync && observer_ != nullptr)
    observer_->sync_lanes(running - lane, call.mask);
}

void Machine::fail_with(const std::string& message) {
  std::fprintf(stderr, "simt: %s\n", message.c_str());
  if (launch_ != nullptr) {
    std::fprintf(stderr, "  in block (%u, %u, %u) of %s\n", blockIdx.x, blockIdx.y, blockIdx.z,
                 function_at(launch_->kernel).c_str());
    std::map<std::string, std::pair<int, int>> doing;  // what -> how many, the first
    for (size_t i = 0; i < threads_.size(); ++i) {
      const Thread& thread = threads_[i];
      std::string what = "not begun";
      if (static_cast<int>(i) == running)
        what = "this one";
      else if (thread.state == State::kReady)
        what = "could go on";
      else if (thread.state == State::kEnded)
        what = "ended";
      else if (thread.state == State::kAtBarrier)
        what = "at the barrier " + place(thread.barrier);
      else if (thread.state == State::kInCollective)
        what = fmt::format("in the collective {} for lanes {:#x}", place(thread.call.site),
                           thread.call.mask);
      auto& [count, first] = doing[what];
      if (count++ == 0) first = static_cast<int>(i);
    }
    for (const auto& [what, threads] : doing)
      std::fprintf(stderr, "  %d from thread %d on: %s\n", threads.first, threads.second,
                   what.c_str());
  }
  std::fflush(stderr);
  std::abort();
}

Machine& machine() {
  static Machine* const instance = new Machine;  // its fibers are never unwound
  return *instance;
}

}  // namespace

bool operator==(const Site& a, const Site& b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}
std::string place(const Site& site) { return fmt::format("{}:{}", site.file, site.line); }

void run(const Launch& launch) { machine().run(launch); }
void observe(Observer* observer) { machine().set_observer(observer); }
bool observed() { return machine().observer() != nullptr; }
void tell_access(const void* address, size_t bytes, Access kind, const void* caller) {
  if (Observer* const observer = machine().observer())
    observer->access(address, bytes, kind, caller);
}

int lane() {
  machine().current();
  return running % kWarp;
}
void* static_shared(const void* key, size_t bytes) {
  return machine().memory().static_shared(key, bytes);
}
void* dynamic_shared() { return machine().memory().dynamic_shared(); }
Range shared_memory() { return machine().memory().range(); }
bool owns_shared(const void* address, size_t bytes) {
  return machine().memory().owns(address, bytes);
}
std::string describe_shared(const void* address) { return machine().memory().describe(address); }
Range stacks() { return machine().stacks(); }

void sync_block(const Site& site) {
  machine().current().barrier = site;
  machine().wait_in(State::kAtBarrier);
}

void collective(const Collective& call) { machine().join(call); }

void start_copy(const Copy& copy, const Site& site) {
  if (reinterpret_cast<uintptr_t>(copy.target) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(copy.source) % 16 != 0)
    fail("{}: an asynchronous copy of unaligned bytes", place(site));
  if (!shared_memory().contains(copy.target))
    fail("{}: an asynchronous copy to memory that is not shared", place(site));
  tell_access(copy.target, 16, Access::kWrite, copy.caller);
  std::memset(copy.target, kPoison, 16);
  machine().current().copies.push_back(copy);
}

void commit_copies() {
  Thread& mine = machine().current();
  size_t grouped = 0;
  for (const size_t group : mine.copy_groups) grouped += group;
  mine.copy_groups.push_back(mine.copies.size() - grouped);
}

void wait_for_copies(int pending) {
  Thread& mine = machine().current();
  while (mine.copy_groups.size() > static_cast<size_t>(pending)) {
    const auto landing = static_cast<ptrdiff_t>(mine.copy_groups.front());
    for (ptrdiff_t i = 0; i < landing; ++i) {
      const Copy& copy = mine.copies[static_cast<size_t>(i)];
      tell_access(copy.target, 16, Access::kWrite, copy.caller);
      if (copy.source == nullptr) {
        std::memset(copy.target, 0, 16);
      } else {
        tell_access(copy.source, 16, Access::kRead, copy.caller);
        std::memcpy(copy.target, copy.source, 16);
      }
    }
    mine.copies.erase(mine.copies.begin(), mine.copies.begin() + landing);
    mine.copy_groups.erase(mine.copy_groups.begin());
  }
}

void fail_unaligned(size_t alignment) {
  fail("{}: an address that is not aligned to {} bytes", caller_at(__builtin_return_address(0)),
       alignment);
}

void fail_with(const std::string& message) { machine().fail_with(message); }

}  // namespace lynceus::simt::engine
