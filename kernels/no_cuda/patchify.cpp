// The patch kernels where there is no CUDA.
#include "kernels/cuda/patchify.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void patchify(const Stream&, const Tensor&, int64_t, const Tensor&) { not_built(); }
void assemble_vision_tokens(const Stream&, const Tensor&, const Tensor&, const Tensor&,
                            const Tensor&) {
  not_built();
}

}  // namespace lynceus::kernels::cuda
