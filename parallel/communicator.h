// Communicator: collectives over a group of ranks. Takes Tensors, never pointer and count. A group
// of size 1 returns at once. Host tensors travel by MPI; where the grid computes on a device, its
// groups move device tensors too (device_communicator.h).
//
// Calls with host tensors have done their work when they return. Calls with device tensors stand in
// the compute stream: behind what was given to it before, ahead of what comes after, and the host
// goes on. The tensors of one call lie all on the host or all on the device.
//
// All ranks of the group call the same operations in the same order. Results of all_reduce are
// bit-equal on every rank of the group (max and min: as long as no value is NaN). Errors:
// InternalError naming the call, the library's text, the rank.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace lynceus::parallel {

enum class ReduceOp { kSum, kMax, kMin };

/// One tensor to or from one peer of an exchange.
struct Transfer {
  int peer = 0;
  Tensor tensor;
};

/// A call on its way beside the compute stream. Its tensors, which nobody may write meanwhile (nor
/// read what is written), are kept until then. Whoever drops it unwaited lets the compute stream
/// wait.
class [[nodiscard]] Pending {
 public:
  Pending() = default;  ///< done
  /// `compute`: the stream that the tensors' memory belongs to.
  Pending(std::vector<Tensor> tensors, const Stream& compute, accelerator::Event done)
      : tensors_(std::move(tensors)), compute_(compute.pool()), done_(std::move(done)) {}
  Pending(Pending&& other) noexcept = default;
  Pending& operator=(Pending&& other) noexcept;
  ~Pending() { drop(); }

  /// What is given to the stream from now on comes after the collective. The host does not wait.
  void wait(const Stream& stream);
  /// Whether it has ended; never waits.
  bool is_done() const;

 private:
  void drop() noexcept;

  std::vector<Tensor> tensors_;
  std::shared_ptr<MemoryPool> compute_;
  accelerator::Event done_;
};

/// What this rank has asked of one communicator, so that tests can count collectives. A group of
/// one counts calls too, with no bytes.
struct CommunicationCounts {
  int64_t all_reduces = 0;
  int64_t all_gathers = 0;
  int64_t reduce_scatters = 0;
  int64_t broadcasts = 0;
  int64_t exchanges = 0;
  int64_t barriers = 0;
  int64_t bytes = 0;  ///< of the tensors given: x of a collective, the sends of an exchange

  int64_t collectives() const { return all_reduces + all_gathers + reduce_scatters + broadcasts; }
};

class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// x = op over ranks of x, in place.  f32, f64, bf16, i32, i64, u8 (max/min as integers). bf16 is
  /// added in f32 and rounded once, but by NCCL, which rounds each partial sum.
  virtual void all_reduce(const Tensor& x, ReduceOp op = ReduceOp::kSum) = 0;
  /// The same, and what is given to the compute stream before the Pending is waited for runs beside
  /// it. With host tensors it is done on return.
  virtual Pending all_reduce_async(const Tensor& x, ReduceOp op = ReduceOp::kSum);
  /// y [size · n, ...] = the x [n, ...] of all ranks, by rank. x may be this rank's slice of y,
  /// then on all ranks.
  virtual void all_gather(const Tensor& x, const Tensor& y) = 0;
  /// y [n, ...] = this rank's slice of Σ over ranks of x [size · n, ...]; no overlap.
  virtual void reduce_scatter(const Tensor& x, const Tensor& y) = 0;
  virtual void broadcast(const Tensor& x, int root) = 0;
  /// All sends and receives at once: no order among them can stall. Transfers between one pair of
  /// ranks match in list order. Empty tensors are skipped on both sides.
  virtual void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) = 0;
  /// The same beside the compute stream, as all_reduce_async.
  virtual Pending exchange_async(std::span<const Transfer> sends,
                                 std::span<const Transfer> receives);
  virtual void barrier() = 0;

  // Small host values, for set-up and agreement.
  int64_t all_reduce(int64_t value, ReduceOp op = ReduceOp::kSum);
  double all_reduce(double value, ReduceOp op = ReduceOp::kSum);
  /// The strings of all ranks, by rank, on every rank.
  std::vector<std::string> all_gather(const std::string& text);
  /// The string of `root`, on every rank.
  std::string broadcast(const std::string& text, int root);

  /// The group as it moves host tensors.
  virtual const Communicator& host() const { return *this; }

  const CommunicationCounts& counts() const { return counts_; }
  void reset_counts() { counts_ = {}; }

 protected:
  CommunicationCounts counts_;
};

/// A group of one.
std::unique_ptr<Communicator> make_self_communicator();

/// Starts MPI (one thread, the first, calls it) and ends it; one at the top of main().
class MpiSession {
 public:
  MpiSession(int* argc, char*** argv);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  /// Ends all ranks at once, for errors that not all ranks share.
  [[noreturn]] static void abort(int code);
};

/// All ranks of the job. MPI must have been started.
std::unique_ptr<Communicator> make_world();

/// Collective over `parent`: the ranks of equal colour, ordered by key, with a message space of
/// their own.
std::unique_ptr<Communicator> split(Communicator& parent, int color, int key);

}  // namespace lynceus::parallel
