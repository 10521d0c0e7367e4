//
#include "kernels/device/rope.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void table(const int32_t* positions, const double* frequencies, int64_t count, int half,
                      float* cos, float* sin) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const double angle = positions[i / half] * frequencies[i % half];
  cos[i] = static_cast<float>(::cos(angle));
  sin[i] = static_cast<float>(::sin(angle));
}

// A thread rotates kPack neighbouring pairs of one head.
template <typename T, int kPack>
__global__ void rotate(const float* cos, const float* sin, float sign, int64_t count, int packs,
                       int heads, T* x) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int at = static_cast<int>(i % packs) * kPack;
  const int64_t half = int64_t{packs} * kPack;
  const int64_t row = i / packs / heads;
  T* const low = x + i / packs * 2 * half + at;
  T* const high = low + half;
  float c[kPack], s[kPack], a[kPack], b[kPack], turned_low[kPack], turned_high[kPack];
  read_pack(cos + row * half + at, c);
  read_pack(sin + row * half + at, s);
  read_pack(low, a);
  read_pack(high, b);
#pragma unroll
  for (int j = 0; j < kPack; ++j) {
    turned_low[j] = a[j] * c[j] - b[j] * (sign * s[j]);
    turned_high[j] = b[j] * c[j] + a[j] * (sign * s[j]);
  }
  write_pack(low, turned_low);
  write_pack(high, turned_high);
}

void rope_table(const Stream& stream, const Tensor& positions, const Tensor& frequencies,
                const Tensor& cos, const Tensor& sin) {
  simt::launch(table, blocks_for(cos.size(), kThreads), kThreads, 0, stream,
               pointer<int32_t>(positions), pointer<double>(frequencies), cos.size(),
               static_cast<int>(cos.cols()), pointer<float>(cos), pointer<float>(sin));
}

void rope_rotate(const Stream& stream, const Tensor& cos, const Tensor& sin, float sign,
                 const Tensor& x) {
  const int half = static_cast<int>(cos.cols());
  const int heads = static_cast<int>(x.cols() / (2 * half));
  for_float_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto run = [&](auto kernel, int pack) {
      const int64_t count = x.size() / (2 * pack);
      simt::launch(kernel, blocks_for(count, kThreads), kThreads, 0, stream, pointer<float>(cos),
                   pointer<float>(sin), sign, count, half / pack, heads, pointer<T>(x));
    };
    constexpr int kPack = 4;  // four f32 of the tables are 16 bytes
    if (fits_packs(x, half, kPack) && fits_packs(cos, half, kPack) && fits_packs(sin, half, kPack))
      run(rotate<T, kPack>, kPack);
    else
      run(rotate<T, 1>, 1);
  });
}

}  // namespace

const RopeKernels kRope = {.rope_table = rope_table, .rope_rotate = rope_rotate};

}  // namespace lynceus::kernels::cuda
