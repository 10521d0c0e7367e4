// The activation kernels where there is no CUDA.
#include "kernels/cuda/activation.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void swiglu_forward(const Stream&, const Tensor&, const Tensor&, const Tensor&) { not_built(); }
void swiglu_backward(const Stream&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                     const Tensor&) {
  not_built();
}
void silu_forward(const Stream&, const Tensor&, const Tensor&) { not_built(); }
void silu_backward(const Stream&, const Tensor&, const Tensor&, const Tensor&) { not_built(); }
void gelu_forward(const Stream&, const Tensor&, const Tensor&) { not_built(); }
void gelu_backward(const Stream&, const Tensor&, const Tensor&, const Tensor&) { not_built(); }

}  // namespace lynceus::kernels::cuda
