// The optimizer kernel where there is no CUDA.
#include "kernels/cuda/adamw.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void adamw(const Stream&, std::span<const AdamWUpdate>) { not_built(); }

}  // namespace lynceus::kernels::cuda
