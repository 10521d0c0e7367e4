// The norms where there is no CUDA.
#include "kernels/cuda/norm.h"

#include "kernels/no_cuda/not_built.h"

namespace lynceus::kernels::cuda {

void rms_norm_forward(const Stream&, const Tensor&, const Tensor&, float, const Tensor&,
                      const Tensor*) {
  not_built();
}
void rms_norm_backward(const Stream&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                       const Tensor*, const Tensor*, const Tensor*) {
  not_built();
}
void layer_norm_forward(const Stream&, const Tensor&, const Tensor&, const Tensor&, float,
                        const Tensor&, const Tensor*, const Tensor*) {
  not_built();
}
void layer_norm_backward(const Stream&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                         const Tensor&, const Tensor*, const Tensor*, const Tensor*,
                         const Tensor*) {
  not_built();
}

}  // namespace lynceus::kernels::cuda
