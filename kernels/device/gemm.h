// Of a device with a library that multiplies its matrices. The CPU's products are in
// kernels/gemm.cpp over kernels/cpu/gemm.h. A bias is rounded to the type of x; f32 products never
// round their factors.
#pragma once

#include "kernels/device/kernel.h"
#include "kernels/gemm.h"

namespace lynceus::kernels {

struct GemmKernels {
  Kernel<void(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
              const Tensor& y, Activation activation)>
      linear_forward;
  Kernel<decltype(kernels::linear_backward_input)> linear_backward_input;
  /// dw += dyᵀ·x
  Kernel<void(const Stream& stream, const Tensor& dy, const Tensor& x, const Tensor& dw)>
      linear_backward_weight;
  Kernel<decltype(kernels::search_products)> search_products;
  Kernel<decltype(kernels::searches_products)> searches_products;
};

namespace cuda {
extern const GemmKernels kGemm;
}

}  // namespace lynceus::kernels
