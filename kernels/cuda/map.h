// Element-wise kernels: one pass, several elements per instruction if the alignment allows it.
#pragma once

#include <initializer_list>
#include <type_traits>

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {

template <typename T, int kCount>
struct Pointers {
  T* at[kCount];
};

constexpr int kMapThreads = 256;

/// op(in, out) on kPack elements from `at` on of all inputs and outputs.
template <int kPack, typename T, int kInputs, int kOutputs, typename Op>
LYNCEUS_DEVICE void map_pack(const Pointers<const T, kInputs>& in, const Pointers<T, kOutputs>& out,
                             int64_t at, const Op& op) {
  float x[kInputs][kPack], y[kOutputs][kPack];
#pragma unroll
  for (int i = 0; i < kInputs; ++i) read_pack(in.at[i] + at, x[i]);
#pragma unroll
  for (int e = 0; e < kPack; ++e) {
    float values[kInputs], results[kOutputs];
#pragma unroll
    for (int i = 0; i < kInputs; ++i) values[i] = x[i][e];
    op(values, results);
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) y[i][e] = results[i];
  }
#pragma unroll
  for (int i = 0; i < kOutputs; ++i) write_pack(out.at[i] + at, y[i]);
}

// Inputs may be outputs: a thread reads its elements before it writes them.
template <int kPack, typename T, int kInputs, int kOutputs, typename Op>
__global__ void __launch_bounds__(kMapThreads)
    map_kernel(Pointers<const T, kInputs> in, Pointers<T, kOutputs> out, int64_t count, Op op) {
  const int64_t at = (int64_t{blockIdx.x} * kMapThreads + threadIdx.x) * kPack;
  if (at + kPack <= count) {
    map_pack<kPack>(in, out, at, op);
  } else {
    for (int64_t i = at; i < count; ++i) map_pack<1>(in, out, i, op);
  }
}

/// out = op(in), element by element; all tensors have the same size and type (f32 or bf16). Op:
/// device code, void operator()(const float (&in)[kInputs], float (&out)[kOutputs]) const.
template <int kInputs, int kOutputs, typename Op>
void map(const Stream& stream, const Tensor* const (&inputs)[kInputs],
         const Tensor* const (&outputs)[kOutputs], Op op) {
  const int64_t count = inputs[0]->size();
  for_float_type(inputs[0]->dtype(), [&](auto type) {
    using T = decltype(type);
    Pointers<const T, kInputs> in;
    Pointers<T, kOutputs> out;
    constexpr int kPack = kPackOf<T>;
    bool packs = true;
    for (int i = 0; i < kInputs; ++i) {
      in.at[i] = pointer<T>(inputs[i]);
      packs = packs && fits_packs(*inputs[i], kPack, kPack);
    }
    for (int i = 0; i < kOutputs; ++i) {
      out.at[i] = pointer<T>(outputs[i]);
      packs = packs && fits_packs(*outputs[i], kPack, kPack);
    }
    if (packs)
      simt::launch(map_kernel<kPack, T, kInputs, kOutputs, Op>,
                   blocks_for(count, kMapThreads * kPack), kMapThreads, 0, stream, in, out, count,
                   op);
    else
      simt::launch(map_kernel<1, T, kInputs, kOutputs, Op>, blocks_for(count, kMapThreads),
                   kMapThreads, 0, stream, in, out, count, op);
  });
}

// Kernels over rows: blockIdx.x is the row (y is limited to 65535), blockIdx.y the part of the row.

/// body(T{}, pack) with the widest pack that `tensors` of y's width allow, y's element type T.
template <typename Body>
void with_rows(const Tensor& y, std::initializer_list<const Tensor*> tensors, Body body) {
  for_float_type(y.dtype(), [&](auto type) {
    constexpr int kPack = kPackOf<decltype(type)>;
    bool packs = true;
    for (const Tensor* tensor : tensors) packs = packs && fits_packs(*tensor, y.cols(), kPack);
    if (packs)
      body(type, std::integral_constant<int, kPack>());
    else
      body(type, std::integral_constant<int, 1>());
  });
}

inline dim3 row_grid(const Tensor& y, int pack) {
  return dim3(static_cast<unsigned>(y.rows()), blocks_for(y.cols(), kMapThreads * pack));
}

}  // namespace lynceus::kernels::cuda
