#include "parallel/staged_transport.h"

#include <vector>

namespace lynceus::parallel {

namespace {

using accelerator::Queue;

/// Pinned memory that grows to the size of the largest call.
class PinnedBlock {
 public:
  explicit PinnedBlock(Device device) : device_(device) {}

  char* at_least(size_t bytes) {
    if (bytes <= capacity_) return data_.get();
    data_.reset();
    capacity_ = 0;
    data_.reset(static_cast<char*>(accelerator::allocate_pinned(device_.index, bytes)));
    if (data_ == nullptr)
      throw IoError("out of memory: {} bytes of pinned memory to move a tensor", bytes);
    capacity_ = bytes;
    return data_.get();
  }

 private:
  struct Release {
    void operator()(char* data) const { accelerator::release_pinned(data); }
  };
  Device device_;
  std::unique_ptr<char, Release> data_;
  size_t capacity_ = 0;
};

class StagedTransport final : public DeviceTransport {
 public:
  StagedTransport(Communicator& host, Device device)
      : host_(host), device_(device), block_(device) {}
  ~StagedTransport() override {
    try {
      wait_for_uploads();
    } catch (const Error&) {
      // The queue has failed; its next use reports that.
    }
  }

  std::unique_ptr<DeviceTransport> split(int, Communicator& group) override {
    return group.size() == 1 ? nullptr : make_staged_transport(group, device_);
  }

  void all_reduce(const Tensor& x, ReduceOp op, const Queue& queue) override {
    begin({&x, 1});
    const Tensor on_host = down(x, queue);
    accelerator::synchronize(queue);
    host_.all_reduce(on_host, op);
    up(on_host, x, queue);
  }

  void all_gather(const Tensor& x, const Tensor& y, const Queue& queue) override {
    const Tensor both[] = {x, y};
    begin(both);
    const Tensor mine = down(x, queue);
    accelerator::synchronize(queue);
    const Tensor all = place(y);
    host_.all_gather(mine, all);
    up(all, y, queue);
  }

  void reduce_scatter(const Tensor& x, const Tensor& y, const Queue& queue) override {
    const Tensor both[] = {x, y};
    begin(both);
    const Tensor all = down(x, queue);
    accelerator::synchronize(queue);
    const Tensor part = place(y);
    host_.reduce_scatter(all, part);
    up(part, y, queue);
  }

  void broadcast(const Tensor& x, int root, const Queue& queue) override {
    begin({&x, 1});
    const bool sends = host_.rank() == root;
    const Tensor on_host = sends ? down(x, queue) : place(x);
    if (sends) accelerator::synchronize(queue);
    host_.broadcast(on_host, root);
    if (!sends) up(on_host, x, queue);
  }

  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives,
                const Queue& queue) override {
    std::vector<Tensor> tensors;
    for (const Transfer& send : sends) tensors.push_back(send.tensor);
    for (const Transfer& receive : receives) tensors.push_back(receive.tensor);
    begin(tensors);
    std::vector<Transfer> from_host, to_host;
    for (const auto& [peer, tensor] : sends) from_host.push_back({peer, down(tensor, queue)});
    for (const auto& [peer, tensor] : receives) to_host.push_back({peer, place(tensor)});
    if (!sends.empty()) accelerator::synchronize(queue);
    host_.exchange(from_host, to_host);
    for (size_t i = 0; i < receives.size(); ++i) up(to_host[i].tensor, receives[i].tensor, queue);
  }

 private:
  static constexpr size_t kAlignment = 64;
  static size_t rounded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  /// Makes room for a call with these tensors.
  void begin(std::span<const Tensor> tensors) {
    wait_for_uploads();
    size_t bytes = 0;
    for (const Tensor& tensor : tensors) bytes += rounded(tensor.bytes());
    next_ = block_.at_least(bytes);
  }

  /// The block is read until the last upload is done.
  void wait_for_uploads() {
    if (uploaded_.handle != nullptr) accelerator::synchronize(uploaded_);
    uploaded_ = {};
  }

  /// A tensor of the same shape and dtype in the block.
  Tensor place(const Tensor& tensor) {
    const Tensor placed = Tensor::borrow(next_, tensor.shape(), tensor.dtype());
    next_ += rounded(tensor.bytes());
    return placed;
  }

  Tensor down(const Tensor& tensor, const Queue& queue) {
    const Tensor placed = place(tensor);
    accelerator::copy(queue, placed.raw(), tensor.raw(), tensor.bytes());
    return placed;
  }

  void up(const Tensor& placed, const Tensor& tensor, const Queue& queue) {
    accelerator::copy(queue, tensor.raw(), placed.raw(), tensor.bytes());
    uploaded_ = accelerator::record(queue);
  }

  Communicator& host_;
  Device device_;
  PinnedBlock block_;
  char* next_ = nullptr;
  accelerator::Event uploaded_;
};

}  // namespace

std::unique_ptr<DeviceTransport> make_staged_transport(Communicator& host, Device device) {
  return std::make_unique<StagedTransport>(host, device);
}

}  // namespace lynceus::parallel
