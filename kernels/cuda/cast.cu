//
#include "kernels/device/cast.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 4;  // four f32 are 16 bytes

template <typename From, typename To>
__global__ void convert(const From* x, int64_t count, bool packed, To* y) {
  const int64_t i = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kPack;
  if (packed && i + kPack <= count) {
    float values[kPack];
    read_pack(x + i, values);
    write_pack(y + i, values);
    return;
  }
  for (int64_t at = i; at < count && at < i + kPack; ++at) y[at] = from_float<To>(to_float(x[at]));
}

template <typename From, typename To>
void run(const Stream& stream, const Tensor& x, const Tensor& y) {
  const bool packed = fits_packs(x, kPack, kPack) && fits_packs(y, kPack, kPack);
  simt::launch(convert<From, To>, blocks_for(x.size(), kThreads * kPack), kThreads, 0, stream,
               pointer<From>(x), x.size(), packed, pointer<To>(y));
}

void cast(const Stream& stream, const Tensor& x, const Tensor& y) {
  if (x.dtype() == DType::kF32)
    run<float, __nv_bfloat16>(stream, x, y);
  else
    run<__nv_bfloat16, float>(stream, x, y);
}

}  // namespace

const CastKernels kCast = {.cast = cast};

}  // namespace lynceus::kernels::cuda
