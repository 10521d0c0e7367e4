// See gradient_reducer.h.
#include "parallel/gradient_reducer.h"

#include <algorithm>
#include <vector>

namespace lynceus::parallel {

namespace {

/// The gradients of one bucket, in order.
class Bucket {
 public:
  /// `capacity` and `workspace` in elements; the workspace is taken when first needed.
  Bucket(const Stream& stream, Communicator& group, int64_t capacity, int64_t workspace)
      : stream_(stream), group_(group), capacity_(capacity), workspace_(workspace) {}

  void add(const Tensor& grad) {
    if (2 * grad.size() >= capacity_) {
      group_.all_reduce(grad);
      return;
    }
    if (elements_ + grad.size() > capacity_) flush();
    members_.push_back(grad);
    elements_ += grad.size();
  }

  void flush() {
    if (members_.size() == 1) {
      group_.all_reduce(members_.front());
    } else if (!members_.empty()) {
      if (!buffer_.defined())
        buffer_ = Tensor::empty(stream_, {workspace_}, DType::kF32, MemoryOwner::kActivation);
      const Tensor flat = buffer_.slice(0, elements_);
      int64_t begin = 0;
      for (const Tensor& grad : members_) {
        flat.slice(begin, grad.size()).copy_from(grad);
        begin += grad.size();
      }
      group_.all_reduce(flat);
      begin = 0;
      for (const Tensor& grad : members_) {
        grad.copy_from(flat.slice(begin, grad.size()));
        begin += grad.size();
      }
    }
    members_.clear();
    elements_ = 0;
  }

 private:
  const Stream& stream_;
  Communicator& group_;
  int64_t capacity_;
  int64_t workspace_;
  Tensor buffer_;
  std::vector<Tensor> members_;
  int64_t elements_ = 0;
};

}  // namespace

void reduce_gradients(const Stream& stream, std::span<const GradientReduction> reductions,
                      size_t bucket_bytes) {
  std::vector<Communicator*> groups;
  for (const auto& [grad, group] : reductions) {
    LYNCEUS_CHECK(group != nullptr, "a gradient {} without a group", grad.shape().to_string());
    LYNCEUS_CHECK(grad.dtype() == DType::kF32, "a gradient of {}", name_of(grad.dtype()));
    if (group->size() > 1 && std::find(groups.begin(), groups.end(), group) == groups.end())
      groups.push_back(group);
  }
  const int64_t capacity = static_cast<int64_t>(bucket_bytes / sizeof(float));
  for (Communicator* group : groups) {
    int64_t total = 0;
    for (const auto& [grad, owner] : reductions)
      if (owner == group) total += grad.size();
    Bucket bucket(stream, *group, capacity, std::min(capacity, total));
    for (const auto& [grad, owner] : reductions)
      if (owner == group && grad.size() > 0) bucket.add(grad);
    bucket.flush();
  }
}

}  // namespace lynceus::parallel
