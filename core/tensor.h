// Tensor: contiguous, row-major, run-time dtype, a shared buffer on a device. A handle: copying it
// shares the memory. Reshape and slices of leading rows only; there are no strides.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/dtype.h"
#include "core/stream.h"

namespace lynceus {

/// Up to six extents. The empty shape {} is one element.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents)
      : Shape(std::span<const int64_t>(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extents_[axis < 0 ? axis + rank_ : axis]; }
  void set(int axis, int64_t extent) { extents_[axis < 0 ? axis + rank_ : axis] = extent; }
  /// The product of all extents.
  int64_t elements() const;
  bool operator==(const Shape& other) const;
  std::string to_string() const;  ///< "[2, 3]"
  std::vector<int64_t> to_vector() const;

 private:
  std::array<int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

class Tensor {
 public:
  /// defined() is false. Means "not wanted", "absent" or "frozen".
  Tensor() = default;

  /// Uninitialised memory from the stream's pool.
  static Tensor empty(const Stream& stream, const Shape& shape, DType dtype = DType::kF32,
                      MemoryOwner owner = MemoryOwner::kActivation);
  static Tensor zeros(const Stream& stream, const Shape& shape, DType dtype = DType::kF32,
                      MemoryOwner owner = MemoryOwner::kActivation);
  /// A copy of host values.
  template <typename T>
  static Tensor from(const Stream& stream, const Shape& shape, std::span<const T> values,
                     MemoryOwner owner = MemoryOwner::kInput) {
    Tensor tensor = empty(stream, shape, DTypeOf<T>::value, owner);
    LYNCEUS_CHECK(static_cast<int64_t>(values.size()) == tensor.size(), "{} values for shape {}",
                  values.size(), shape.to_string());
    tensor.copy_from_host(values.data());
    return tensor;
  }
  template <typename T>
  static Tensor from(const Stream& stream, const Shape& shape, const std::vector<T>& values,
                     MemoryOwner owner = MemoryOwner::kInput) {
    return from(stream, shape, std::span<const T>(values), owner);
  }
  /// A view of host memory that the caller keeps alive.
  static Tensor borrow(void* data, const Shape& shape, DType dtype);

  bool defined() const { return data_ != nullptr || shape_.rank() > 0; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int axis) const { return shape_[axis]; }
  int rank() const { return shape_.rank(); }
  int64_t size() const { return shape_.elements(); }  ///< elements
  /// The tensor seen as a matrix: every axis but the last, and the last.
  int64_t rows() const { return cols() == 0 ? 0 : size() / cols(); }
  int64_t cols() const { return rank() == 0 ? 1 : shape_[-1]; }
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }

  /// Same memory, other shape; elements must agree.
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, begin + count) of the first axis, same memory.
  Tensor slice(int64_t begin, int64_t count) const;

  /// The address of the elements, on the tensor's device.
  void* raw() const { return data_; }
  /// The elements, in host memory; T must be this tensor's dtype. The constness of the handle does
  /// not apply to them.
  template <typename T>
  T* data() const {
    LYNCEUS_CHECK(dtype_ == DTypeOf<T>::value, "tensor of {} read as {}", name_of(dtype_),
                  name_of(DTypeOf<T>::value));
    LYNCEUS_CHECK(device_.is_cpu(), "the host reads a tensor {} on a device", shape_.to_string());
    return static_cast<T*>(data_);
  }
  template <typename T>
  std::span<T> span() const {
    return {data<T>(), static_cast<size_t>(size())};
  }
  /// A copy of the elements on the host.
  template <typename T>
  std::vector<T> to_vector() const {
    std::vector<T> values(static_cast<size_t>(size()));
    LYNCEUS_CHECK(dtype_ == DTypeOf<T>::value, "tensor of {} read as {}", name_of(dtype_),
                  name_of(DTypeOf<T>::value));
    copy_to_host(values.data());
    return values;
  }

  // On a device these run in the queue of this tensor's stream. Copies into host memory are
  // complete on return. A source in host memory may be changed on return, except an input in pinned
  // memory: the device reads it later, so until then it may only be released.
  void fill_zero() const;
  /// Copies all elements from another tensor of the same dtype and size, on any device.
  void copy_from(const Tensor& other) const;
  void copy_from_host(const void* source) const;
  void copy_to_host(void* target) const;
  /// A new tensor with the same contents, on the stream's device.
  Tensor clone(const Stream& stream, MemoryOwner owner = MemoryOwner::kActivation) const;
  /// The same contents on the stream's device: this tensor if it is already there.
  Tensor on(const Stream& stream, MemoryOwner owner = MemoryOwner::kActivation) const {
    return device_ == stream.device() ? *this : clone(stream, owner);
  }

 private:
  struct Buffer;
  const accelerator::Queue& queue() const;

  std::shared_ptr<Buffer> buffer_;  // owns the block; null for borrowed memory
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::kF32;
  Device device_;
};

}  // namespace lynceus
