// The casts where there is no CUDA.
#include "kernels/cuda/cast.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void cast(const Stream&, const Tensor&, const Tensor&) { not_built(); }

}  // namespace lynceus::kernels::cuda
