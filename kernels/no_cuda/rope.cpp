// The rotary embedding where there is no CUDA.
#include "kernels/cuda/rope.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void rope_table(const Stream&, const Tensor&, double, const Tensor&, const Tensor&) { not_built(); }
void rope_rotate(const Stream&, const Tensor&, const Tensor&, float, const Tensor&) { not_built(); }

}  // namespace lynceus::kernels::cuda
