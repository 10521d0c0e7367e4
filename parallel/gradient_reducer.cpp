#include "parallel/gradient_reducer.h"

#include "core/trace.h"

namespace lynceus::parallel {

namespace {

/// Every gradient begins at a cache line: vector loads and matrix products are faster on aligned
/// data.
constexpr int64_t kAlignment = 64 / sizeof(float);

int64_t padded(int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

GradientReducer::GradientReducer(const Stream& stream, std::vector<GradientMember> members,
                                 size_t bucket_bytes)
    : stream_(stream), members_(std::move(members)) {
  int64_t total = 0;
  std::vector<Shape> shapes;
  for (const auto& [parameter, group, part] : members_) {
    LYNCEUS_CHECK(group != nullptr, "{}: its gradient has no group", parameter->name);
    LYNCEUS_CHECK(parameter->trainable() && parameter->grad.dtype() == DType::kF32,
                  "{}: it has no gradient in f32", parameter->name);
    shapes.push_back(parameter->grad.shape());
    total += padded(parameter->grad.size());
    parameter->grad = Tensor();  // all are freed before the block is allocated
  }
  flat_ = Tensor::zeros(stream, {total}, DType::kF32, MemoryOwner::kGradient);
  const int64_t capacity = static_cast<int64_t>(bucket_bytes / sizeof(float));
  int64_t begin = 0;
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto& [parameter, group, part] = members_[i];
    parameter->grad = flat_.slice(begin, shapes[i].elements()).reshape(shapes[i]);
    const int64_t end = begin + padded(shapes[i].elements());
    const bool joins = !buckets_.empty() && buckets_.back().end_member == i &&
                       buckets_.back().group == group && buckets_.back().part == part &&
                       end - buckets_.back().begin <= capacity;
    if (joins) {
      buckets_.back().end_member = i + 1;
      buckets_.back().end = end;
    } else if (group->size() > 1) {
      buckets_.push_back({group, part, i + 1, begin, end});
    }
    begin = end;
  }
}

void GradientReducer::begin(const std::function<bool(int part)>& reached) {
  in_flight_.clear();  // left from a step that ended with an error
  reached_ = reached;
  next_ = 0;
  flat_.fill_zero();
}

void GradientReducer::complete(size_t count) {
  for (; next_ < buckets_.size() && buckets_[next_].end_member <= count; ++next_) {
    const Bucket& bucket = buckets_[next_];
    if (!reached_(bucket.part)) continue;
    LYNCEUS_TRACE("reduce gradients", static_cast<int64_t>(next_));
    in_flight_.push_back(
        bucket.group->all_reduce_async(flat_.slice(bucket.begin, bucket.end - bucket.begin)));
  }
}

void GradientReducer::finish() {
  complete(members_.size());
  for (Pending& pending : in_flight_) pending.wait(stream_);
  in_flight_.clear();
}

}  // namespace lynceus::parallel
