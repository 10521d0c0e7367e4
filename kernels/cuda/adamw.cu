// AdamW on CUDA devices: one pass over memory. Formula in kernels/adamw.h.
#include "kernels/cuda/adamw.h"

#include "kernels/adamw_factors.h"
#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;

template <int kPack>
LYNCEUS_DEVICE void update_pack(const AdamWFactors& f, const float* grad, float* value, float* m,
                                float* v, __nv_bfloat16* rounded, int64_t at) {
  float g[kPack], p[kPack], first[kPack], second[kPack];
  read_pack(grad + at, g);
  read_pack(value + at, p);
  read_pack(m + at, first);
  read_pack(v + at, second);
#pragma unroll
  for (int i = 0; i < kPack; ++i) {
    g[i] *= f.grad_scale;
    first[i] += f.rate1 * (g[i] - first[i]);
    second[i] += f.rate2 * (g[i] * g[i] - second[i]);
    const float denominator = sqrtf(second[i]) * f.root_factor + f.eps;
    p[i] -= f.decay * p[i] + f.step_size * (first[i] / denominator);
  }
  write_pack(value + at, p);
  write_pack(m + at, first);
  write_pack(v + at, second);
  if (rounded != nullptr) write_pack(rounded + at, p);
}

template <int kPack>
__global__ void __launch_bounds__(kThreads)
    update(AdamWFactors factors, const float* grad, int64_t count, float* value, float* m, float* v,
           __nv_bfloat16* rounded) {
  const int64_t at = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * kPack;
  if (at + kPack <= count) {
    update_pack<kPack>(factors, grad, value, m, v, rounded, at);
  } else {
    for (int64_t i = at; i < count; ++i) update_pack<1>(factors, grad, value, m, v, rounded, i);
  }
}

}  // namespace

void adamw(const Stream& stream, const AdamWStep& step, const Tensor& grad, const Tensor& value,
           const Tensor& m, const Tensor& v, const Tensor* rounded) {
  constexpr int kPack = 4;
  bool packs = rounded == nullptr || fits_packs(*rounded, kPack, kPack);
  for (const Tensor* tensor : {&grad, &value, &m, &v})
    packs = packs && fits_packs(*tensor, kPack, kPack);
  const auto run = [&](auto kernel, int pack) {
    simt::launch(kernel, blocks_for(value.size(), kThreads * pack), kThreads, 0, stream,
                 AdamWFactors(step), pointer<float>(grad), value.size(), pointer<float>(value),
                 pointer<float>(m), pointer<float>(v), pointer<__nv_bfloat16>(rounded));
  };
  if (packs)
    run(update<kPack>, kPack);
  else
    run(update<1>, 1);
}

}  // namespace lynceus::kernels::cuda
