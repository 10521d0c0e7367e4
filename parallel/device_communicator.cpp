// Checks tensors, orders the communication queue against the compute stream, and keeps what is on
// its way in view. See device_communicator.h.
#include "parallel/device_communicator.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "core/trace.h"
#include "parallel/device_transport.h"

namespace lynceus::parallel {

namespace {

using accelerator::Event;
using accelerator::Queue;
using Clock = std::chrono::steady_clock;

/// What a collective is called in messages.
struct Call {
  trace::Name name;
  int64_t elements;
  DType dtype;
};

class DeviceCommunicator final : public Communicator {
 public:
  DeviceCommunicator(std::unique_ptr<Communicator> host, const Stream& compute,
                     const DeviceOptions& options, std::string name)
      : host_(std::move(host)),
        compute_(compute),
        deadline_(options.deadline),
        name_(std::move(name)),
        row_(name_ + " group"),
        queue_(options.own_queue ? accelerator::make_queue(compute.device().index)
                                 : compute.pool()->queue()),
        transport_(options.transport == Transport::kNccl
                       ? make_nccl_transport(*host_, compute.device(), deadline_)
                       : make_staged_transport(*host_, compute.device())),
        watch_(std::make_shared<const std::function<void()>>([this] { look(); })) {
    LYNCEUS_CHECK(options.transport != Transport::kAuto, "the transport has not been chosen");
    compute_.pool()->watch(watch_);
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  const Communicator& host() const override { return host_->host(); }

  void all_reduce(const Tensor& x, ReduceOp op) override {
    count(&CommunicationCounts::all_reduces, x);
    if (x.device().is_cpu()) return host_->all_reduce(x, op);
    reduce(x, op).wait(compute_);
  }

  Pending all_reduce_async(const Tensor& x, ReduceOp op) override {
    count(&CommunicationCounts::all_reduces, x);
    if (x.device().is_cpu()) return host_->all_reduce_async(x, op);
    return reduce(x, op);
  }

  void all_gather(const Tensor& x, const Tensor& y) override {
    LYNCEUS_CHECK(
        x.device() == y.device() && x.dtype() == y.dtype() && y.size() == size() * x.size(),
        "all_gather over {} ranks of {} {} into {} {}", size(), name_of(x.dtype()),
        x.shape().to_string(), name_of(y.dtype()), y.shape().to_string());
    count(&CommunicationCounts::all_gathers, x);
    if (x.device().is_cpu()) return host_->all_gather(x, y);
    enqueue({"all_gather", x.size(), x.dtype()}, {x, y}, [&] {
      transport_->all_gather(x, y, queue_);
    }).wait(compute_);
  }

  void reduce_scatter(const Tensor& x, const Tensor& y) override {
    LYNCEUS_CHECK(
        x.device() == y.device() && x.dtype() == y.dtype() && x.size() == size() * y.size(),
        "reduce_scatter over {} ranks of {} {} into {} {}", size(), name_of(x.dtype()),
        x.shape().to_string(), name_of(y.dtype()), y.shape().to_string());
    count(&CommunicationCounts::reduce_scatters, x);
    if (x.device().is_cpu()) return host_->reduce_scatter(x, y);
    enqueue({"reduce_scatter", x.size(), x.dtype()}, {x, y}, [&] {
      transport_->reduce_scatter(x, y, queue_);
    }).wait(compute_);
  }

  void broadcast(const Tensor& x, int root) override {
    LYNCEUS_CHECK(root >= 0 && root < size(), "root {} in a group of {}", root, size());
    count(&CommunicationCounts::broadcasts, x);
    if (x.device().is_cpu()) return host_->broadcast(x, root);
    enqueue({"broadcast", x.size(), x.dtype()}, {x}, [&] {
      transport_->broadcast(x, root, queue_);
    }).wait(compute_);
  }

  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    exchange_async(sends, receives).wait(compute_);
  }
  Pending exchange_async(std::span<const Transfer> sends,
                         std::span<const Transfer> receives) override;

  void barrier() override {
    ++counts_.barriers;
    host_->barrier();
  }

 private:
  struct InFlight {
    Call call;
    int64_t number;
    Event begin;  // this rank's own work before it is done
    Event end;
    std::optional<Clock::time_point> begun;  // as far as was looked
  };

  void count(int64_t CommunicationCounts::*calls, const Tensor& x) {
    LYNCEUS_CHECK(x.device().is_cpu() || x.device() == compute_.device(),
                  "a tensor {} of another device than the group's", x.shape().to_string());
    ++(counts_.*calls);
    counts_.bytes += static_cast<int64_t>(x.bytes());
  }

  Pending reduce(const Tensor& x, ReduceOp op) {
    return enqueue({"all_reduce", x.size(), x.dtype()}, {x},
                   [&] { transport_->all_reduce(x, op, queue_); });
  }

  /// Calls `work`, which gives a collective to the queue, between what orders it against the
  /// compute stream. `kept`: the tensors that the Pending keeps.
  template <typename Work>
  Pending enqueue(const Call& call, std::vector<Tensor> kept, const Work& work);

  /// Tensors of an exchange that are not empty.
  std::vector<Transfer> filled(std::span<const Transfer> transfers) const;

  /// Throws where a collective of this group has failed or is overdue.
  void look();
  /// Forgets what is done.
  void prune() {
    while (!in_flight_.empty() && accelerator::is_done(in_flight_.front().end))
      in_flight_.pop_front();
  }
  [[noreturn]] void fail(const std::string& what);

  // In the order in which they may go, last to first: the transport uses the queue and the host's
  // group.
  std::unique_ptr<Communicator> host_;
  Stream compute_;
  std::chrono::milliseconds deadline_;
  std::string name_;
  std::string row_;  // in a trace
  Queue queue_;
  std::deque<InFlight> in_flight_;
  int64_t calls_ = 0;
  std::string failure_;  // empty: none
  std::unique_ptr<DeviceTransport> transport_;
  std::shared_ptr<const std::function<void()>> watch_;
};

template <typename Work>
Pending DeviceCommunicator::enqueue(const Call& call, std::vector<Tensor> kept, const Work& work) {
  if (!failure_.empty()) throw InternalError("{}", failure_);
  if (call.elements == 0) return {};
  prune();
  const Queue& compute = compute_.pool()->queue();
  const Event begin = accelerator::record(compute);
  if (queue_ != compute) accelerator::wait(queue_, begin);
  try {
    const trace::QueueScope scope(queue_, row_, call.name);
    work();
  } catch (const Error& error) {
    fail(error.what());
  }
  const Event end = accelerator::record(queue_);
  in_flight_.push_back({call, ++calls_, begin, end, std::nullopt});
  return {std::move(kept), compute_, end};
}

std::vector<Transfer> DeviceCommunicator::filled(std::span<const Transfer> transfers) const {
  std::vector<Transfer> result;
  for (const Transfer& transfer : transfers) {
    if (transfer.tensor.size() == 0) continue;
    LYNCEUS_CHECK(transfer.peer >= 0 && transfer.peer < size(),
                  "exchange with rank {} in a group of {}", transfer.peer, size());
    result.push_back(transfer);
  }
  return result;
}

Pending DeviceCommunicator::exchange_async(std::span<const Transfer> sends,
                                           std::span<const Transfer> receives) {
  ++counts_.exchanges;
  const std::vector<Transfer> out = filled(sends);
  const std::vector<Transfer> in = filled(receives);
  if (out.empty() && in.empty()) return {};
  const Tensor& first = (out.empty() ? in : out).front().tensor;
  int64_t elements = 0;
  std::vector<Tensor> tensors;
  for (const auto* transfers : {&out, &in})
    for (const Transfer& transfer : *transfers) {
      LYNCEUS_CHECK(transfer.tensor.device() == first.device(),
                    "an exchange of tensors on the host and on the device");
      elements += transfer.tensor.size();
      tensors.push_back(transfer.tensor);
    }
  for (const Transfer& transfer : out)
    counts_.bytes += static_cast<int64_t>(transfer.tensor.bytes());
  if (first.device().is_cpu()) return host_->exchange_async(out, in);
  return enqueue({"exchange", elements, first.dtype()}, std::move(tensors),
                 [&] { transport_->exchange(out, in, queue_); });
}

void DeviceCommunicator::look() {
  if (!failure_.empty()) throw InternalError("{}", failure_);
  try {
    transport_->check();
  } catch (const Error& error) {
    fail(error.what());
  }
  prune();
  if (in_flight_.empty()) return;
  InFlight& first = in_flight_.front();
  const auto now = Clock::now();
  if (!first.begun) {
    if (accelerator::is_done(first.begin)) first.begun = now;
  } else if (now - *first.begun > deadline_) {
    fail(
        fmt::format("{} {} of {} {} elements is not done after {} ms: another rank is dead, stuck "
                    "or calls something else",
                    first.call.name.text, first.number, first.call.elements,
                    name_of(first.call.dtype), deadline_.count()));
  }
}

void DeviceCommunicator::fail(const std::string& what) {
  failure_ = fmt::format("{} group, rank {} of {}: {}", name_, rank(), size(), what);
  transport_->abort();
  throw InternalError("{}", failure_);
}

}  // namespace

Transport choose_transport(Communicator& world, Device device, Transport wanted) {
  if (wanted == Transport::kStaged || world.size() == 1) return Transport::kStaged;
  if (device.kind != DeviceKind::kCuda) {
    if (wanted == Transport::kAuto) return Transport::kStaged;  // nothing will ask for it
    throw UsageError("NCCL was asked for, but these ranks compute on CPUs");
  }
  if (wanted == Transport::kNccl && !nccl_is_built())
    throw UsageError("NCCL was asked for, but this program was built without NCCL");
  const std::vector<std::string> devices =
      world.all_gather(accelerator::device_identity(device.index));
  for (size_t rank = 0; rank < devices.size(); ++rank) {
    const auto first = std::find(devices.begin(), devices.end(), devices[rank]);
    const auto other = first - devices.begin();
    if (other == static_cast<std::ptrdiff_t>(rank)) continue;
    if (wanted == Transport::kAuto) return Transport::kStaged;
    throw UsageError(
        "NCCL was asked for, but ranks {} and {} share a device ({}): start one rank a device, or "
        "ask for the staged transport",
        other, rank, devices[rank]);
  }
  return nccl_is_built() ? Transport::kNccl : Transport::kStaged;
}

std::unique_ptr<Communicator> make_device_communicator(std::unique_ptr<Communicator> host,
                                                       const Stream& compute,
                                                       const DeviceOptions& options,
                                                       const std::string& name) {
  if (host->size() == 1 || compute.device().kind != DeviceKind::kCuda) return host;
  return std::make_unique<DeviceCommunicator>(std::move(host), compute, options, name);
}

}  // namespace lynceus::parallel
