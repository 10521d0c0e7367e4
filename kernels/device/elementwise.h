#pragma once

#include "kernels/device/kernel.h"
#include "kernels/elementwise.h"

namespace lynceus::kernels {

struct ElementwiseKernels {
  Kernel<decltype(kernels::add)> add;
  Kernel<decltype(kernels::add_bias)> add_bias;
  Kernel<decltype(kernels::column_sum)> column_sum;
  Kernel<decltype(kernels::adapter_epilogue_forward)> adapter_epilogue_forward;
  Kernel<decltype(kernels::adapter_epilogue_backward)> adapter_epilogue_backward;
  Kernel<decltype(kernels::sums_of_squares)> sums_of_squares;
};

namespace cpu {
extern const ElementwiseKernels kElementwise;
}
namespace cuda {
extern const ElementwiseKernels kElementwise;
}

}  // namespace lynceus::kernels
