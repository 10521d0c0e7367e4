// Communicator: collectives over a group of ranks. They take Tensors, never pointer and count. Host
// tensors travel by MPI. If the grid computes on a device, its groups also move device tensors
// (device_communicator.h).
//
// Calls with host tensors have finished when they return. Calls with device tensors run in the
// order of the compute stream: after the work submitted to it before, ahead of what comes after;
// the host does not wait. The tensors of one call are all on the host or all on the device.
//
// All ranks of the group make the same calls in the same order. Results of all_reduce are bit-equal
// on every rank of the group (max and min: as long as no value is NaN). Errors: InternalError
// naming the call, the library's text, the rank.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "parallel/watch/call_ring.h"

namespace lynceus::parallel {

enum class ReduceOp { kSum, kMax, kMin };

/// One tensor to or from one peer of an exchange.
struct Transfer {
  int peer = 0;
  Tensor tensor;
};

/// A call that may still run concurrently with the compute stream. It keeps its tensors until it is
/// waited for; meanwhile nobody may write them, nor read those that the call writes. The destructor
/// lets the compute stream wait.
class [[nodiscard]] Pending {
 public:
  Pending() = default;  ///< done
  /// `compute`: the stream that the tensors' memory belongs to.
  Pending(std::vector<Tensor> tensors, const Stream& compute, accelerator::Event done)
      : tensors_(std::move(tensors)), compute_(compute.pool()), done_(std::move(done)) {}
  Pending(Pending&& other) noexcept = default;
  Pending& operator=(Pending&& other) noexcept;
  ~Pending() { drop(); }

  /// Work submitted to the compute stream from now on runs after the call. The host does not wait.
  void wait();
  /// The same for work submitted to `stream` as well.
  void wait(const Stream& stream);
  /// Whether the call has finished; never waits.
  bool is_done() const;
  /// Whether the host has nothing to wait for, without asking the device.
  bool is_over() const { return done_.handle == nullptr; }

 private:
  void drop() noexcept;

  std::vector<Tensor> tensors_;
  std::shared_ptr<MemoryPool> compute_;
  accelerator::Event done_;
};

/// This rank's calls on one communicator, so that tests can count collectives. A group of one
/// counts calls too, with no bytes.
struct CommunicationCounts {
  int64_t all_reduces = 0;
  int64_t all_gathers = 0;
  int64_t reduce_scatters = 0;
  int64_t broadcasts = 0;
  int64_t exchanges = 0;
  int64_t barriers = 0;
  int64_t bytes = 0;  ///< of the tensors passed: x of a collective, the sends of an exchange

  int64_t collectives() const { return all_reduces + all_gathers + reduce_scatters + broadcasts; }
};

/// The public calls check their arguments and count; what remains is a transport's do_….
class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// x = op over ranks of x, in place.  f32, f64, bf16, i32, i64, u8 (max/min as integers). bf16 is
  /// added in f32 and rounded once, except by NCCL, which rounds each partial sum.
  void all_reduce(const Tensor& x, ReduceOp op = ReduceOp::kSum);
  /// The same, concurrent with the work submitted to the compute stream before the Pending is
  /// waited for. With host tensors it is done on return.
  Pending all_reduce_async(const Tensor& x, ReduceOp op = ReduceOp::kSum);
  /// y [size · n, ...] = the x [n, ...] of all ranks, by rank. x may be this rank's slice of y; if
  /// so, then on all ranks.
  void all_gather(const Tensor& x, const Tensor& y);
  /// y [n, ...] = this rank's slice of Σ over ranks of x [size · n, ...]; x and y must not overlap.
  void reduce_scatter(const Tensor& x, const Tensor& y);
  void broadcast(const Tensor& x, int root);
  /// All sends and receives at once: no order among them can deadlock. Transfers between one pair
  /// of ranks match in list order. Empty tensors are skipped on both sides.
  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives);
  /// The same, concurrent with the compute stream like all_reduce_async.
  Pending exchange_async(std::span<const Transfer> sends, std::span<const Transfer> receives);
  void barrier();

  // Small host values, for set-up and agreement.
  int64_t all_reduce(int64_t value, ReduceOp op = ReduceOp::kSum);
  double all_reduce(double value, ReduceOp op = ReduceOp::kSum);
  /// The strings of all ranks, by rank, on every rank.
  std::vector<std::string> all_gather(const std::string& text);
  /// The string of `root`, on every rank.
  std::string broadcast(const std::string& text, int root);

  /// The group that moves the host tensors of this one.
  virtual const Communicator& host() const { return *this; }

  const CommunicationCounts& counts() const { return counts_; }
  void reset_counts() { counts_ = {}; }

  /// Recent calls of a group of several ranks, for the watchdog.
  const CallRing& recent_calls() const { return recent_; }
  /// As named in messages of the watchdog: "tensor group 2". Ranks of one group have the same name.
  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  /// Seconds that this rank has waited for others or for a transfer so far, and not computed.
  virtual double seconds_waited() const { return recent_.seconds_waited(); }

 protected:
  // The transport, with checked arguments and no empty tensors. It returns what the compute stream
  // has to wait for: host tensors are done on return.
  virtual Pending do_all_reduce(const Tensor& x, ReduceOp op) = 0;
  virtual Pending do_all_gather(const Tensor& x, const Tensor& y) = 0;
  virtual Pending do_reduce_scatter(const Tensor& x, const Tensor& y) = 0;
  virtual Pending do_broadcast(const Tensor& x, int root) = 0;
  /// At least one transfer; the tensors are all on one device.
  virtual Pending do_exchange(std::span<const Transfer> sends,
                              std::span<const Transfer> receives) = 0;
  virtual void do_barrier() = 0;
  /// Whether the group moves tensors of `device`.
  virtual bool moves(Device device) const = 0;

  CallRing& recent() { return recent_; }

 private:
  void check_place(const Tensor& x) const;
  /// Records the call that `work` makes.
  template <typename Work>
  Pending record(Operation operation, int64_t bytes, const Work& work);
  /// `x`: what this rank passes to the call.
  void count(int64_t CommunicationCounts::*calls, const Tensor& x);
  std::vector<Transfer> filled(std::span<const Transfer> transfers) const;

  CommunicationCounts counts_;
  CallRing recent_;
  std::string name_;
};

/// A group of one. It needs no MPI, for unit tests and single-rank tools, and accepts tensors of
/// any device.
std::unique_ptr<Communicator> make_self_communicator();

}  // namespace lynceus::parallel
