// Attention where there is no CUDA.
#include "kernels/cuda/attention.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void attention_forward(const Stream&, const AttentionShape&, const Tensor&, const Tensor&,
                       const Tensor&, const CumulativeLengths&, const CumulativeLengths&,
                       const Tensor&, const Tensor*) {
  not_built();
}
void attention_backward(const Stream&, const AttentionShape&, const Tensor&, const Tensor&,
                        const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                        const CumulativeLengths&, const CumulativeLengths&, const Tensor&,
                        const Tensor&, const Tensor&) {
  not_built();
}

}  // namespace lynceus::kernels::cuda
