// The cross-entropy where there is no CUDA.
#include "kernels/cuda/cross_entropy.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void cross_entropy_rebase(const Stream&, const Tensor&, const Tensor&, const Tensor&) {
  not_built();
}
void cross_entropy_partial(const Stream&, const Tensor&, const Tensor&, const VocabularyShard&,
                           const Tensor&, const Tensor&) {
  not_built();
}
void cross_entropy_finish(const Stream&, const Tensor&, const Tensor&, const VocabularyShard&,
                          const Tensor&, const Tensor&, float, bool, const Tensor*, const Tensor*) {
  not_built();
}

}  // namespace lynceus::kernels::cuda
