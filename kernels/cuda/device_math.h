// Device code of several kernels: reading and writing several elements at once, f32 values of both
// element types, sums over warps and blocks in a fixed order.
#pragma once

#include <simt.h>

namespace lynceus::kernels::cuda {

/// kCount elements that one instruction moves.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T value[kCount];
};

LYNCEUS_DEVICE float to_float(float x) { return x; }
LYNCEUS_DEVICE float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <typename T>
LYNCEUS_DEVICE T from_float(float x);
template <>
LYNCEUS_DEVICE float from_float<float>(float x) {
  return x;
}
template <>
LYNCEUS_DEVICE __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

/// kCount elements from `source` on as f32, in one read.
template <int kCount, typename T>
LYNCEUS_DEVICE void read_pack(const T* source, float (&values)[kCount]) {
  const auto pack = simt::aligned(reinterpret_cast<const Pack<T, kCount>*>(source));
#pragma unroll
  for (int i = 0; i < kCount; ++i) values[i] = to_float(pack.value[i]);
}

/// Writes them, rounded to nearest.
template <int kCount, typename T>
LYNCEUS_DEVICE void write_pack(T* target, const float (&values)[kCount]) {
  Pack<T, kCount> pack;
#pragma unroll
  for (int i = 0; i < kCount; ++i) pack.value[i] = from_float<T>(values[i]);
  simt::aligned(reinterpret_cast<Pack<T, kCount>*>(target)) = pack;
}

/// Elements of T in 16 bytes.
template <typename T>
constexpr int kPackOf = 16 / static_cast<int>(sizeof(T));

/// The sum over the warp, bit-equal on every lane.
LYNCEUS_DEVICE float warp_sum(float value) {
#pragma unroll
  for (int distance = simt::kWarp / 2; distance > 0; distance /= 2)
    value += simt::shuffle_xor(value, distance);
  return value;
}
LYNCEUS_DEVICE float warp_max(float value) {
#pragma unroll
  for (int distance = simt::kWarp / 2; distance > 0; distance /= 2)
    value = fmaxf(value, simt::shuffle_xor(value, distance));
  return value;
}

/// The shared memory of block_sum: one slot per warp.
struct BlockScratch {
  float warp[32];
};

/// The sum over a block of full warps (x only), on every thread. `scratch` may be reused at once:
/// the block synchronises before and after it is written.
LYNCEUS_DEVICE float block_sum(float value, BlockScratch& scratch) {
  const int warps = static_cast<int>(blockDim.x) / simt::kWarp;
  value = warp_sum(value);
  simt::sync_block();
  if (simt::lane() == 0) scratch.warp[threadIdx.x / simt::kWarp] = value;
  simt::sync_block();
  return warp_sum(simt::lane() < warps ? scratch.warp[simt::lane()] : 0.0f);
}
LYNCEUS_DEVICE float block_max(float value, BlockScratch& scratch) {
  const int warps = static_cast<int>(blockDim.x) / simt::kWarp;
  value = warp_max(value);
  simt::sync_block();
  if (simt::lane() == 0) scratch.warp[threadIdx.x / simt::kWarp] = value;
  simt::sync_block();
  return warp_max(simt::lane() < warps ? scratch.warp[simt::lane()] : scratch.warp[0]);
}

}  // namespace lynceus::kernels::cuda
