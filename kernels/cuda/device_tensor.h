// Checked access of the CUDA kernels' host code to tensors, as pointers of the element's type.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

template <typename T>
constexpr DType kDTypeOf = DTypeOf<T>::value;
template <>
inline constexpr DType kDTypeOf<__nv_bfloat16> = DType::kBf16;

/// The elements of a tensor on a device. T: the tensor's type, __nv_bfloat16 for bf16.
template <typename T>
T* pointer(const Tensor& tensor) {
  LYNCEUS_CHECK(tensor.dtype() == kDTypeOf<T>, "a device tensor of {} read as {}",
                name_of(tensor.dtype()), name_of(kDTypeOf<T>));
  LYNCEUS_CHECK(tensor.device().kind == DeviceKind::kCuda || tensor.size() == 0,
                "a tensor {} in host memory given to a device kernel", tensor.shape().to_string());
  return static_cast<T*>(tensor.raw());
}
/// Null for null: an output that is not wanted, an absent input.
template <typename T>
T* pointer(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : pointer<T>(*tensor);
}

/// body(T{}) with T = float or __nv_bfloat16, according to the dtype.
template <typename Body>
void for_float_type(DType dtype, Body body) {
  LYNCEUS_CHECK(dtype == DType::kF32 || dtype == DType::kBf16, "activations of {}", name_of(dtype));
  if (dtype == DType::kF32)
    body(float{});
  else
    body(__nv_bfloat16{});
}

/// The number of blocks of `per_block` that cover `count`.
inline unsigned blocks_for(int64_t count, int64_t per_block) {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

/// Whether every row of such tensors can be read in packs of `count` elements: the width is a
/// multiple, and the memory is aligned.
inline bool fits_packs(const Tensor& tensor, int64_t width, int64_t count) {
  const size_t bytes = static_cast<size_t>(count) * size_of(tensor.dtype());
  return width % count == 0 && reinterpret_cast<uintptr_t>(tensor.raw()) % bytes == 0;
}

}  // namespace lynceus::kernels::cuda
