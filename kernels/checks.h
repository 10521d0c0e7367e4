// Checks that run before a kernel, so that a wrong shape causes an error naming the kernel, the
// argument, the expected and the found, not a crash.
//
// Tensors of any rank are treated as matrices (Tensor::rows, cols). Errors: InternalError.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

inline std::string description(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return fmt::format("{} {}", name_of(tensor.dtype()), tensor.shape().to_string());
}

inline void check_matrix(const char* kernel, const char* argument, const Tensor& tensor,
                         int64_t rows, int64_t cols, DType dtype = DType::kF32) {
  if (!tensor.defined() || tensor.dtype() != dtype || tensor.size() != rows * cols ||
      tensor.cols() != cols)
    throw InternalError("{}: {} is {}, expected {} [{}, {}]", kernel, argument, description(tensor),
                        name_of(dtype), rows, cols);
}

inline void check_vector(const char* kernel, const char* argument, const Tensor& tensor,
                         int64_t size, DType dtype = DType::kF32) {
  if (!tensor.defined() || tensor.dtype() != dtype || tensor.size() != size)
    throw InternalError("{}: {} is {}, expected {} of {} elements", kernel, argument,
                        description(tensor), name_of(dtype), size);
}

/// An activation: f32 or bf16, the same for all activations of a call.
inline void check_activation(const char* kernel, const char* argument, const Tensor& tensor,
                             int64_t rows, int64_t cols, DType dtype) {
  if (dtype != DType::kF32 && dtype != DType::kBf16)
    throw InternalError("{}: {} is {}, expected f32 or bf16", kernel, argument,
                        description(tensor));
  check_matrix(kernel, argument, tensor, rows, cols, dtype);
}

inline void check_activation(const char* kernel, const char* argument, const Tensor* tensor,
                             int64_t rows, int64_t cols, DType dtype) {
  if (tensor != nullptr) check_activation(kernel, argument, *tensor, rows, cols, dtype);
}

/// The same if only the number of elements matters.
inline void check_activations(const char* kernel, const char* argument, const Tensor& tensor,
                              int64_t size, DType dtype) {
  if (dtype != DType::kF32 && dtype != DType::kBf16)
    throw InternalError("{}: {} is {}, expected f32 or bf16", kernel, argument,
                        description(tensor));
  check_vector(kernel, argument, tensor, size, dtype);
}

/// For optional outputs and inputs.
inline void check_matrix(const char* kernel, const char* argument, const Tensor* tensor,
                         int64_t rows, int64_t cols) {
  if (tensor != nullptr) check_matrix(kernel, argument, *tensor, rows, cols);
}

inline void check_vector(const char* kernel, const char* argument, const Tensor* tensor,
                         int64_t size) {
  if (tensor != nullptr) check_vector(kernel, argument, *tensor, size);
}

}  // namespace lynceus::kernels
