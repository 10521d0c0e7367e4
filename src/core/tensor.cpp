// Shapes, and how tensors come by their memory, are cut and copied. Used everywhere.
#include "core/tensor.h"

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

Tensor Tensor::empty(const Stream& stream, const Shape& shape, DType dtype, MemoryOwner owner) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.device_ = stream.device();
  if (!stream.device().has_memory()) return tensor;
  const auto pool = stream.pool();
  const MemoryPool::Block block = pool->allocate(tensor.bytes(), owner);
  tensor.buffer_ =
      std::shared_ptr<void>(block.data, [pool, block](void*) { pool->release(block); });
  tensor.data_ = block.data;
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
  LYNCEUS_CHECK(shape.elements() == size(), "{} cannot be seen as {}", shape_.to_string(),
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

void Tensor::fill_zero() const {
  if (size() > 0 && data_ != nullptr) std::memset(data_, 0, bytes());
}

void Tensor::copy_from(const Tensor& other) const {
  LYNCEUS_CHECK(other.dtype_ == dtype_ && other.size() == size(), "{} {} copied into {} {}",
                name_of(other.dtype_), other.shape_.to_string(), name_of(dtype_),
                shape_.to_string());
  if (size() > 0) std::memcpy(data_, other.data_, bytes());
}

void Tensor::copy_from_host(const void* source) const {
  if (size() > 0) std::memcpy(data_, source, bytes());
}

void Tensor::copy_to_host(void* target) const {
  if (size() > 0) std::memcpy(target, data_, bytes());
}

Tensor Tensor::clone(const Stream& stream, MemoryOwner owner) const {
  Tensor copy = empty(stream, shape_, dtype_, owner);
  copy.copy_from(*this);
  return copy;
}

}  // namespace lynceus
