// The part of a communicator that is common to all transports: checks, counting, small host values.
// And the group of one.
#include "parallel/communicator.h"

#include <algorithm>

namespace lynceus::parallel {

namespace {

int64_t bytes_of(const Tensor& x) { return static_cast<int64_t>(x.bytes()); }

Tensor view_of(std::string& text) {
  return Tensor::borrow(text.data(), {static_cast<int64_t>(text.size())}, DType::kU8);
}

class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }

 protected:
  bool moves(Device) const override { return true; }
  Pending do_all_reduce(const Tensor&, ReduceOp) override { return {}; }
  Pending do_all_gather(const Tensor& x, const Tensor& y) override {
    copy(x, y);
    return {};
  }
  Pending do_reduce_scatter(const Tensor& x, const Tensor& y) override {
    copy(x, y);
    return {};
  }
  Pending do_broadcast(const Tensor&, int) override { return {}; }
  Pending do_exchange(std::span<const Transfer> sends,
                      std::span<const Transfer> receives) override {
    LYNCEUS_CHECK(sends.size() >= receives.size(),
                  "an exchange in a group of one without a matching send to itself");
    for (size_t i = 0; i < receives.size(); ++i) copy(sends[i].tensor, receives[i].tensor);
    return {};
  }
  void do_barrier() override {}

 private:
  static void copy(const Tensor& x, const Tensor& y) {
    if (x.raw() != y.raw()) y.copy_from(x);
  }
};

}  // namespace

std::unique_ptr<Communicator> make_self_communicator() {
  return std::make_unique<SelfCommunicator>();
}

Pending& Pending::operator=(Pending&& other) noexcept {
  drop();
  tensors_ = std::move(other.tensors_);
  compute_ = std::move(other.compute_);
  done_ = std::move(other.done_);
  return *this;
}

void Pending::wait() {
  if (done_.handle == nullptr) return;
  // The tensors' memory is released in the order of the compute stream.
  accelerator::wait(compute_->queue(), done_);
  done_ = {};
  tensors_.clear();
}

void Pending::wait(const Stream& stream) {
  if (done_.handle != nullptr && stream.pool() != compute_)
    accelerator::wait(stream.pool()->queue(), done_);
  wait();
}

bool Pending::is_done() const { return done_.handle == nullptr || accelerator::is_done(done_); }

void Pending::drop() noexcept {
  try {
    wait();
  } catch (const Error&) {
    // The queue has failed; its next use reports that.
  }
  done_ = {};
  tensors_.clear();
}

void Communicator::check_place(const Tensor& x) const {
  LYNCEUS_CHECK(moves(x.device()),
                "a group of {} ranks does not move tensors of this device, found {} {}", size(),
                name_of(x.dtype()), x.shape().to_string());
}

void Communicator::count(int64_t CommunicationCounts::*calls, const Tensor& x) {
  ++(counts_.*calls);
  if (size() > 1) counts_.bytes += static_cast<int64_t>(x.bytes());
}

template <typename Work>
Pending Communicator::record(Operation operation, int64_t bytes, const Work& work) {
  if (size() == 1) return work();
  recent_.begin(operation, bytes);
  Pending pending = work();
  if (pending.is_over())
    recent_.end();
  else
    recent_.submitted();
  return pending;
}

Pending Communicator::all_reduce_async(const Tensor& x, ReduceOp op) {
  check_place(x);
  count(&CommunicationCounts::all_reduces, x);
  if (x.size() == 0) return {};
  return record(Operation::kAllReduce, bytes_of(x), [&] { return do_all_reduce(x, op); });
}

void Communicator::all_reduce(const Tensor& x, ReduceOp op) { all_reduce_async(x, op).wait(); }

void Communicator::all_gather(const Tensor& x, const Tensor& y) {
  LYNCEUS_CHECK(x.device() == y.device() && x.dtype() == y.dtype() && y.size() == size() * x.size(),
                "all_gather over {} ranks of {} {} into {} {}", size(), name_of(x.dtype()),
                x.shape().to_string(), name_of(y.dtype()), y.shape().to_string());
  check_place(x);
  count(&CommunicationCounts::all_gathers, x);
  if (x.size() == 0) return;
  record(Operation::kAllGather, bytes_of(x), [&] { return do_all_gather(x, y); }).wait();
}

void Communicator::reduce_scatter(const Tensor& x, const Tensor& y) {
  LYNCEUS_CHECK(x.device() == y.device() && x.dtype() == y.dtype() && x.size() == size() * y.size(),
                "reduce_scatter over {} ranks of {} {} into {} {}", size(), name_of(x.dtype()),
                x.shape().to_string(), name_of(y.dtype()), y.shape().to_string());
  check_place(x);
  count(&CommunicationCounts::reduce_scatters, x);
  if (y.size() == 0) return;
  record(Operation::kReduceScatter, bytes_of(x), [&] { return do_reduce_scatter(x, y); }).wait();
}

void Communicator::broadcast(const Tensor& x, int root) {
  LYNCEUS_CHECK(root >= 0 && root < size(), "root {} in a group of {}", root, size());
  check_place(x);
  count(&CommunicationCounts::broadcasts, x);
  if (x.size() == 0) return;
  record(Operation::kBroadcast, bytes_of(x), [&] { return do_broadcast(x, root); }).wait();
}

std::vector<Transfer> Communicator::filled(std::span<const Transfer> transfers) const {
  std::vector<Transfer> result;
  for (const Transfer& transfer : transfers) {
    if (transfer.tensor.size() == 0) continue;
    LYNCEUS_CHECK(transfer.peer >= 0 && transfer.peer < size(),
                  "exchange with rank {} in a group of {}", transfer.peer, size());
    check_place(transfer.tensor);
    result.push_back(transfer);
  }
  return result;
}

Pending Communicator::exchange_async(std::span<const Transfer> sends,
                                     std::span<const Transfer> receives) {
  const std::vector<Transfer> out = filled(sends);
  const std::vector<Transfer> in = filled(receives);
  ++counts_.exchanges;
  if (out.empty() && in.empty()) return {};
  const Device device = (out.empty() ? in : out).front().tensor.device();
  for (const auto* transfers : {&out, &in})
    for (const Transfer& transfer : *transfers)
      LYNCEUS_CHECK(transfer.tensor.device() == device,
                    "an exchange of tensors on the host and on the device");
  int64_t bytes = 0;
  for (const Transfer& transfer : out) bytes += bytes_of(transfer.tensor);
  if (size() > 1) counts_.bytes += bytes;
  return record(Operation::kExchange, bytes, [&] { return do_exchange(out, in); });
}

void Communicator::exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) {
  exchange_async(sends, receives).wait();
}

void Communicator::barrier() {
  ++counts_.barriers;
  record(Operation::kBarrier, 0, [&]() -> Pending {
    do_barrier();
    return {};
  }).wait();
}

int64_t Communicator::all_reduce(int64_t value, ReduceOp op) {
  all_reduce(Tensor::borrow(&value, {1}, DType::kI64), op);
  return value;
}

double Communicator::all_reduce(double value, ReduceOp op) {
  all_reduce(Tensor::borrow(&value, {1}, DType::kF64), op);
  return value;
}

std::vector<std::string> Communicator::all_gather(const std::string& text) {
  int64_t length = static_cast<int64_t>(text.size());
  std::vector<int64_t> lengths(static_cast<size_t>(size()));
  all_gather(Tensor::borrow(&length, {1}, DType::kI64),
             Tensor::borrow(lengths.data(), {size()}, DType::kI64));
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::string mine = text;
  mine.resize(static_cast<size_t>(longest));
  std::string all(static_cast<size_t>(longest * size()), '\0');
  if (longest > 0) all_gather(view_of(mine), view_of(all));
  std::vector<std::string> texts;
  for (int64_t peer = 0; peer < size(); ++peer)
    texts.push_back(all.substr(static_cast<size_t>(peer * longest),
                               static_cast<size_t>(lengths[static_cast<size_t>(peer)])));
  return texts;
}

std::string Communicator::broadcast(const std::string& text, int root) {
  int64_t length = static_cast<int64_t>(text.size());
  broadcast(Tensor::borrow(&length, {1}, DType::kI64), root);
  std::string result = text;
  result.resize(static_cast<size_t>(length));
  if (length > 0) broadcast(view_of(result), root);
  return result;
}

}  // namespace lynceus::parallel
