// Matrix products where there is no CUDA.
#include "kernels/cuda/gemm.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void linear_forward(const Stream&, const Tensor&, const Tensor&, const Tensor*, const Tensor&,
                    Activation) {
  not_built();
}
void linear_backward_input(const Stream&, const Tensor&, const Tensor&, const Tensor&, bool) {
  not_built();
}
void linear_backward_weight(const Stream&, const Tensor&, const Tensor&, const Tensor&) {
  not_built();
}
void search_products(const Stream&, bool) { not_built(); }
bool searches_products(const Stream&) { not_built(); }
}  // namespace lynceus::kernels::cuda
