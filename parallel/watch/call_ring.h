// CallRing: what one rank has recently called on one communicator, so that a watchdog on another
// thread can say where the rank is. One thread writes, any thread reads; nothing is allocated after
// construction. A call costs two readings of the clock and a few stores.
//
// Collectives are numbered from 1: all ranks of a group make the same ones in the same order, so
// equal numbers are the same call. Exchanges have numbers of their own, which differ between ranks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace lynceus::parallel {

enum class Operation : uint8_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kBroadcast,
  kBarrier,
  kExchange
};

const char* name_of(Operation operation);

enum class CallState : uint8_t {
  kInside,     ///< the host is in it
  kSubmitted,  ///< to a device: the host continues without waiting for it
  kDone
};

struct RecordedCall {
  Operation operation = Operation::kBarrier;
  int64_t number = 0;  ///< among the collectives, or among the exchanges
  int64_t bytes = 0;   ///< that this rank passed
  CallState state = CallState::kInside;
  double seconds = 0;  ///< since it was begun

  bool done() const { return state == CallState::kDone; }
  bool is_collective() const { return operation != Operation::kExchange; }
};

class CallRing {
 public:
  static constexpr int64_t kPlaces = 512;

  CallRing() : places_(std::make_unique<Place[]>(kPlaces)) {}

  // On the thread that communicates.
  void begin(Operation operation, int64_t bytes);
  /// The last call is done, and the host has waited for it.
  void end();
  /// The host continues before the last call is done.
  void submitted();
  /// On a device: the call `index` and those before it are done. The host did not wait.
  void end_through(int64_t index);
  /// The index of the last call, from 1.
  int64_t last() const { return index_; }
  /// Seconds that the host spent in calls which it waited for.
  double seconds_waited() const { return 1e-9 * static_cast<double>(waited_); }

  // On any thread.
  /// Collectives begun so far.
  int64_t collectives() const { return collectives_; }
  /// When a call last began or ended, nanoseconds of the steady clock; 0: never.
  int64_t last_change() const { return changed_.load(std::memory_order_relaxed); }
  /// At most `before` calls that are done, then the oldest ones that are not, at most `open`;
  /// oldest first.
  std::vector<RecordedCall> recent(int before, int open) const;

 private:
  struct Place {
    std::atomic<int64_t> index = 0, number = 0, bytes = 0, begun = 0;
    std::atomic<Operation> operation = Operation::kBarrier;
    std::atomic<CallState> state = CallState::kInside;
  };
  Place& place(int64_t index) const { return places_[static_cast<size_t>(index % kPlaces)]; }
  /// Moves done_ on to the last call before the first that is not done.
  void advance();

  std::unique_ptr<Place[]> places_;
  std::atomic<int64_t> index_ = 0, collectives_ = 0, exchanges_ = 0;
  std::atomic<int64_t> done_ = 0;  ///< this call and all before it are done
  std::atomic<int64_t> changed_ = 0, waited_ = 0;
};

/// Nanoseconds of the steady clock.
int64_t steady_nanoseconds();

}  // namespace lynceus::parallel
