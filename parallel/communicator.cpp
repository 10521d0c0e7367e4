// The part of a communicator that no transport changes: small host values over the tensor calls,
// and the group of one. Used by everything that talks to other ranks.
#include "parallel/communicator.h"

#include <algorithm>

namespace lynceus::parallel {

namespace {

Tensor view_of(std::string& text) {
  return Tensor::borrow(text.data(), {static_cast<int64_t>(text.size())}, DType::kU8);
}

/// Works without MPI, so that unit tests and single-rank tools need none.
class SelfCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(const Tensor&, ReduceOp) override { ++counts_.all_reduces; }
  void all_gather(const Tensor& x, const Tensor& y) override {
    ++counts_.all_gathers;
    copy(x, y);
  }
  void reduce_scatter(const Tensor& x, const Tensor& y) override {
    ++counts_.reduce_scatters;
    copy(x, y);
  }
  void broadcast(const Tensor&, int root) override {
    LYNCEUS_CHECK(root == 0, "root {} in a group of one", root);
    ++counts_.broadcasts;
  }
  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override {
    ++counts_.exchanges;
    size_t sent = 0;
    for (const Transfer& receive : receives) {
      if (receive.tensor.size() == 0) continue;
      while (sent < sends.size() && sends[sent].tensor.size() == 0) ++sent;
      LYNCEUS_CHECK(sent < sends.size() && sends[sent].peer == 0 && receive.peer == 0,
                    "an exchange in a group of one without a matching send to itself");
      copy(sends[sent++].tensor, receive.tensor);
    }
  }
  void barrier() override { ++counts_.barriers; }

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

void Pending::wait(const Stream& stream) {
  if (done_.handle == nullptr) return;
  accelerator::wait(stream.pool()->queue(), done_);
  // The tensors' memory goes back in the order of the compute stream.
  if (stream.pool() != compute_) accelerator::wait(compute_->queue(), done_);
  done_ = {};
  tensors_.clear();
}

bool Pending::is_done() const { return done_.handle == nullptr || accelerator::is_done(done_); }

void Pending::drop() noexcept {
  try {
    if (done_.handle != nullptr) accelerator::wait(compute_->queue(), done_);
  } catch (const Error&) {
    // The queue has failed and says so to whoever uses it next.
  }
  done_ = {};
  tensors_.clear();
}

Pending Communicator::all_reduce_async(const Tensor& x, ReduceOp op) {
  all_reduce(x, op);
  return {};
}

Pending Communicator::exchange_async(std::span<const Transfer> sends,
                                     std::span<const Transfer> receives) {
  exchange(sends, receives);
  return {};
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
