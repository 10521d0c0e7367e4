// The element-wise kernels where there is no CUDA.
#include "kernels/cuda/elementwise.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void add(const Stream&, const Tensor&, const Tensor&, const Tensor&) { not_built(); }
void add_bias(const Stream&, const Tensor&, const Tensor&) { not_built(); }
void column_sum(const Stream&, const Tensor&, const Tensor&) { not_built(); }
void adapter_epilogue_forward(const Stream&, const Tensor&, const Tensor&, const Tensor&,
                              const Tensor&, const Tensor&) {
  not_built();
}
void adapter_epilogue_backward(const Stream&, const Tensor&, const Tensor&, const Tensor&,
                               const Tensor&, const Tensor&, const Tensor*, const Tensor*) {
  not_built();
}
std::vector<double> sums_of_squares(const Stream&, std::span<const Tensor>) { not_built(); }

}  // namespace lynceus::kernels::cuda
