// The embedding and row moves where there is no CUDA.
#include "kernels/cuda/embedding.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void embedding_forward(const Stream&, const Tensor&, const Tensor&, int64_t, const Tensor&) {
  not_built();
}
void embedding_backward(const Stream&, const Tensor&, const Tensor&, int64_t, const Tensor&) {
  not_built();
}
void gather_rows(const Stream&, const Tensor&, const Tensor&, const Tensor&) { not_built(); }
void scatter_rows(const Stream&, const Tensor&, const Tensor&, const Tensor&) { not_built(); }

}  // namespace lynceus::kernels::cuda
