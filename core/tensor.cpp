// Shapes; memory, views and copies of tensors.
#include "core/tensor.h"

#include <fmt/format.h>

#include <cstring>

namespace lynceus {

Shape::Shape(std::span<const int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  LYNCEUS_CHECK(extents.size() <= kMaxRank, "a shape of {} axes", extents.size());
  for (int axis = 0; axis < rank_; ++axis) {
    LYNCEUS_CHECK(extents[axis] >= 0, "extent {} of axis {}", extents[axis], axis);
    extents_[axis] = extents[axis];
  }
}

int64_t Shape::elements() const {
  int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= extents_[axis];
  return count;
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int axis = 0; axis < rank_; ++axis)
    if (extents_[axis] != other.extents_[axis]) return false;
  return true;
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(extents_.begin(), extents_.begin() + rank_, ", "));
}

std::vector<int64_t> Shape::to_vector() const {
  return {extents_.begin(), extents_.begin() + rank_};
}

/// A block of a pool, released with the last tensor that refers to it.
struct Tensor::Buffer {
  Buffer(std::shared_ptr<MemoryPool> from, size_t bytes, MemoryOwner owner)
      : pool(std::move(from)), block(pool->allocate(bytes, owner)) {}
  ~Buffer() { pool->release(block); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  const std::shared_ptr<MemoryPool> pool;
  MemoryPool::Block block;
};

Tensor Tensor::empty(const Stream& stream, const Shape& shape, DType dtype, MemoryOwner owner) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.device_ = stream.device();
  if (!stream.device().has_memory()) return tensor;
  tensor.buffer_ = std::make_shared<Buffer>(stream.pool(), tensor.bytes(), owner);
  tensor.data_ = tensor.buffer_->block.data;
  return tensor;
}

Tensor Tensor::zeros(const Stream& stream, const Shape& shape, DType dtype, MemoryOwner owner) {
  Tensor tensor = empty(stream, shape, dtype, owner);
  tensor.fill_zero();
  return tensor;
}

Tensor Tensor::borrow(void* data, const Shape& shape, DType dtype) {
  Tensor tensor;
  tensor.data_ = data;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  return tensor;
}

Tensor Tensor::reshape(const Shape& shape) const {
  LYNCEUS_CHECK(shape.elements() == size(), "cannot reshape {} to {}", shape_.to_string(),
                shape.to_string());
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::slice(int64_t begin, int64_t count) const {
  LYNCEUS_CHECK(rank() > 0 && begin >= 0 && count >= 0 && begin + count <= shape_[0],
                "rows {}..{} of a tensor of shape {}", begin, begin + count, shape_.to_string());
  Tensor tensor = *this;
  tensor.shape_.set(0, count);
  const int64_t row = shape_[0] == 0 ? 0 : size() / shape_[0];
  tensor.data_ = static_cast<char*>(data_) + begin * row * static_cast<int64_t>(size_of(dtype_));
  return tensor;
}

const accelerator::Queue& Tensor::queue() const {
  LYNCEUS_CHECK(buffer_ != nullptr, "borrowed memory has no queue");
  return buffer_->pool->queue();
}

void Tensor::fill_zero() const {
  if (size() == 0 || data_ == nullptr) return;
  if (device_.is_cpu())
    std::memset(data_, 0, bytes());
  else
    accelerator::fill_zero(queue(), data_, bytes());
}

void Tensor::copy_from(const Tensor& other) const {
  LYNCEUS_CHECK(other.dtype_ == dtype_ && other.size() == size(), "{} {} copied into {} {}",
                name_of(other.dtype_), other.shape_.to_string(), name_of(dtype_),
                shape_.to_string());
  if (other.device_.is_cpu()) {
    copy_from_host(other.data_);
    const bool pinned = other.buffer_ != nullptr && other.buffer_->block.pinned;
    if (pinned && !device_.is_cpu()) other.buffer_->block.read = accelerator::record(queue());
    return;
  }
  if (device_.is_cpu()) return other.copy_to_host(data_);
  if (size() > 0) accelerator::copy(queue(), data_, other.data_, bytes());
}

void Tensor::copy_from_host(const void* source) const {
  if (size() == 0) return;
  if (device_.is_cpu())
    std::memcpy(data_, source, bytes());
  else
    accelerator::copy(queue(), data_, source, bytes());
}

void Tensor::copy_to_host(void* target) const {
  if (size() == 0) return;
  if (device_.is_cpu()) {
    std::memcpy(target, data_, bytes());
  } else {
    // A wait for other ranks may throw, so it comes first: a copy left in the queue would write
    // into memory that the caller has freed by then.
    buffer_->pool->synchronize();
    accelerator::copy(queue(), target, data_, bytes());
    accelerator::synchronize(queue());
  }
}

Tensor Tensor::clone(const Stream& stream, MemoryOwner owner) const {
  Tensor copy = empty(stream, shape_, dtype_, owner);
  copy.copy_from(*this);
  return copy;
}

}  // namespace lynceus
