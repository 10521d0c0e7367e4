// Orders the communication queue against the compute stream and monitors the collectives in flight.
#include "parallel/device_communicator.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "core/check.h"
#include "core/trace.h"
#include "parallel/device_transport.h"
#include "parallel/mpi_session.h"
#include "parallel/nccl_transport.h"
#include "parallel/staged_transport.h"

namespace lynceus::parallel {

namespace {

using accelerator::Event;
using accelerator::Queue;
using Clock = std::chrono::steady_clock;

/// A collective as named in messages.
struct Call {
  trace::Name name;
  int64_t elements;
  DType dtype;
};

class DeviceCommunicator final : public Communicator {
 public:
  DeviceCommunicator(std::unique_ptr<Communicator> host, const Stream& compute,
                     const DeviceOptions& options, std::string name,
                     std::unique_ptr<DeviceTransport> transport)
      : host_(std::move(host)),
        compute_(compute),
        options_(options),
        name_(std::move(name)),
        row_(name_ + " group"),
        queue_(queue_of(compute, options)),
        transport_(std::move(transport)),
        watch_(std::make_shared<Look>(this)) {
    compute_.pool()->watch(watch_);
    connect();
  }

  /// Collective. The group of the ranks with the same color.
  std::unique_ptr<Communicator> split(int color, int key, const std::string& name) {
    auto group = parallel::split(*host_, color, key);
    auto transport = transport_->split(color, *group);
    if (transport == nullptr) return group;
    return std::make_unique<DeviceCommunicator>(std::move(group), compute_, options_, name,
                                                std::move(transport));
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  const Communicator& host() const override { return host_->host(); }
  /// Of collectives on the device: as far as the host was waiting for the device meanwhile.
  double seconds_waited() const override { return host_->seconds_waited() + waited_; }

 protected:
  bool moves(Device device) const override {
    return device.is_cpu() || device == compute_.device();
  }

  Pending do_all_reduce(const Tensor& x, ReduceOp op) override {
    if (x.device().is_cpu()) return host_->all_reduce_async(x, op);
    return enqueue({"all_reduce", x.size(), x.dtype()}, {x},
                   [&] { transport_->all_reduce(x, op, queue_); });
  }

  Pending do_all_gather(const Tensor& x, const Tensor& y) override {
    if (!x.device().is_cpu())
      return enqueue({"all_gather", x.size(), x.dtype()}, {x, y},
                     [&] { transport_->all_gather(x, y, queue_); });
    host_->all_gather(x, y);
    return {};
  }

  Pending do_reduce_scatter(const Tensor& x, const Tensor& y) override {
    if (!x.device().is_cpu())
      return enqueue({"reduce_scatter", x.size(), x.dtype()}, {x, y},
                     [&] { transport_->reduce_scatter(x, y, queue_); });
    host_->reduce_scatter(x, y);
    return {};
  }

  Pending do_broadcast(const Tensor& x, int root) override {
    if (!x.device().is_cpu())
      return enqueue({"broadcast", x.size(), x.dtype()}, {x},
                     [&] { transport_->broadcast(x, root, queue_); });
    host_->broadcast(x, root);
    return {};
  }

  Pending do_exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override;
  void do_barrier() override { host_->barrier(); }

 private:
  struct Look final : Watch {
    explicit Look(DeviceCommunicator* communicator) : of(communicator) {}
    void look() override { of->look(); }
    DeviceCommunicator* of;
  };
  struct InFlight {
    Call call;
    int64_t number;
    int64_t index;  // in the ring of recent calls
    Event begin;    // this rank's work before it
    Event end;
    std::optional<Clock::time_point> begun;  // when look() first saw `begin` done
  };

  static Queue queue_of(const Stream& compute, const DeviceOptions& options) {
    if (options.shared_queue != nullptr) return options.shared_queue;
    if (!options.own_queue) return compute.pool()->queue();
    return accelerator::make_queue(compute.device().index, accelerator::Priority::kCommunication);
  }

  /// A first sum and a first exchange with the neighbours: NCCL connects ranks at the first use,
  /// which then takes seconds and memory.
  void connect();

  /// Calls `work`, which submits a collective to the queue, and orders it against the compute
  /// stream. `kept`: the tensors that the Pending keeps.
  template <typename Work>
  Pending enqueue(const Call& call, std::vector<Tensor> kept, const Work& work);

  /// Throws if a collective of this group has failed or is overdue.
  void look();
  /// Drops finished collectives from in_flight_.
  void prune() {
    while (!in_flight_.empty() && accelerator::is_done(in_flight_.front().end)) {
      const InFlight& first = in_flight_.front();
      if (first.begun)
        waited_ += std::chrono::duration<double>(Clock::now() - *first.begun).count();
      recent().end_through(first.index);
      in_flight_.pop_front();
    }
  }
  [[noreturn]] void fail(const std::string& what);

  // In this order, because the transport uses the queue and the host's group and is destroyed
  // before them.
  std::unique_ptr<Communicator> host_;
  Stream compute_;
  DeviceOptions options_;
  std::string name_;
  std::string row_;  // in a trace
  Queue queue_;
  std::deque<InFlight> in_flight_;
  int64_t calls_ = 0;
  double waited_ = 0;
  std::string failure_;  // empty: none
  std::unique_ptr<DeviceTransport> transport_;
  std::shared_ptr<Watch> watch_;
};

void DeviceCommunicator::connect() {
  const Tensor x = Tensor::zeros(compute_, {1}), y = Tensor::zeros(compute_, {2});
  const Transfer sends[] = {{(rank() + 1) % size(), x}, {(rank() + size() - 1) % size(), x}};
  const Transfer receives[] = {{(rank() + size() - 1) % size(), y.slice(0, 1)},
                               {(rank() + 1) % size(), y.slice(1, 1)}};
  enqueue({"connect", 1, x.dtype()}, {x}, [&] {
    transport_->all_reduce(x, ReduceOp::kSum, queue_);
  }).wait(compute_);
  enqueue({"connect", 2, x.dtype()}, {x, y}, [&] {
    transport_->exchange(sends, receives, queue_);
  }).wait(compute_);
  compute_.synchronize();
  calls_ = 0;
}

template <typename Work>
Pending DeviceCommunicator::enqueue(const Call& call, std::vector<Tensor> kept, const Work& work) {
  if (!failure_.empty()) throw InternalError("{}", failure_);
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
  in_flight_.push_back({call, ++calls_, recent().last(), begin, end, std::nullopt});
  return {std::move(kept), compute_, end};
}

Pending DeviceCommunicator::do_exchange(std::span<const Transfer> sends,
                                        std::span<const Transfer> receives) {
  const Tensor& first = (sends.empty() ? receives : sends).front().tensor;
  if (first.device().is_cpu()) return host_->exchange_async(sends, receives);
  int64_t elements = 0;
  std::vector<Tensor> tensors;
  for (const auto& transfers : {sends, receives})
    for (const Transfer& transfer : transfers) {
      elements += transfer.tensor.size();
      tensors.push_back(transfer.tensor);
    }
  return enqueue({"exchange", elements, first.dtype()}, std::move(tensors),
                 [&] { transport_->exchange(sends, receives, queue_); });
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
  } else if (now - *first.begun > options_.deadline) {
    fail(
        fmt::format("{} {} of {} {} elements is not done after {} ms: another rank is dead, stuck "
                    "or calls something else",
                    first.call.name.text, first.number, first.call.elements,
                    name_of(first.call.dtype), options_.deadline.count()));
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
    if (wanted == Transport::kAuto) return Transport::kStaged;  // not used on CPUs
    throw UsageError("NCCL was requested, but these ranks compute on CPUs");
  }
  if (wanted == Transport::kNccl && !nccl_is_built())
    throw UsageError("NCCL was requested, but this program was built without NCCL");
  const std::vector<std::string> devices =
      world.all_gather(accelerator::device_identity(device.index));
  for (size_t rank = 0; rank < devices.size(); ++rank) {
    const auto first = std::find(devices.begin(), devices.end(), devices[rank]);
    const auto other = first - devices.begin();
    if (other == static_cast<std::ptrdiff_t>(rank)) continue;
    if (wanted == Transport::kAuto) return Transport::kStaged;
    throw UsageError(
        "NCCL was requested, but ranks {} and {} share a device ({}): start one rank per device, "
        "or "
        "choose the staged transport",
        other, rank, devices[rank]);
  }
  return nccl_is_built() ? Transport::kNccl : Transport::kStaged;
}

std::unique_ptr<Communicator> make_device_world(std::unique_ptr<Communicator> host,
                                                const Stream& compute,
                                                const DeviceOptions& options) {
  if (host->size() == 1 || compute.device().kind != DeviceKind::kCuda) return host;
  LYNCEUS_CHECK(options.transport != Transport::kAuto, "the transport has not been chosen");
  const bool nccl = options.transport == Transport::kNccl;
  DeviceOptions chosen = options;
  if (nccl && options.own_queue && !nccl_orders_launches())
    chosen.shared_queue =
        accelerator::make_queue(compute.device().index, accelerator::Priority::kCommunication);
  auto transport = nccl ? make_nccl_transport(*host, compute.device(), options.deadline)
                        : make_staged_transport(*host, compute.device());
  return std::make_unique<DeviceCommunicator>(std::move(host), compute, chosen, "world",
                                              std::move(transport));
}

std::unique_ptr<Communicator> split_device_world(Communicator& world, int color, int key,
                                                 const std::string& name) {
  if (auto* const device = dynamic_cast<DeviceCommunicator*>(&world))
    return device->split(color, key, name);
  return split(world, color, key);
}

}  // namespace lynceus::parallel
