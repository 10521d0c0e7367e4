// Planted races on shared memory within a warp: no sync_warp, or one that is not sufficient.
#include "tests/simt/races.h"

namespace lynceus::simt::races {
namespace {

constexpr int kThreads = 64;
constexpr unsigned kLowHalf = 0x0000ffffu;

struct Values {
  float at[kThreads];
};

__global__ void missing_sync_warp(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];  // missing_sync_warp
  if (!planted) simt::sync_warp();
  out[t] = shared.at[t ^ 31u];  // missing_sync_warp
}

/// Lanes 16 to 31 synchronize, and lane 0 reads what lane 16 wrote.
__global__ void sync_of_other_lanes(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];  // sync_of_other_lanes
  if (!planted)
    simt::sync_warp();
  else if (simt::lane() >= 16)
    simt::sync_warp(~kLowHalf);
  out[t] = shared.at[t ^ 16u];  // sync_of_other_lanes
}

/// A shuffle synchronizes lanes but does not order memory.
__global__ void shuffle_for_sync(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];  // shuffle_for_sync
  const float same = simt::shuffle_xor(in[t], 0);
  if (!planted) simt::sync_warp();
  out[t] = same + shared.at[t ^ 31u];  // shuffle_for_sync
}

/// sync_warp orders the lanes of a warp, not different warps.
__global__ void sync_warp_for_block(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];  // sync_warp_for_block
  if (planted)
    simt::sync_warp();
  else
    simt::sync_block();
  out[t] = shared.at[t ^ 32u];  // sync_warp_for_block
}

struct Matrices {
  __nv_bfloat16 at[4][8][8];
};

/// Each lane fills the row that its neighbour loads.
__global__ void load_without_sync_warp(bool planted, const float* in, float* out) {
  Matrices& shared = simt::static_shared<Matrices>();
  const int lane = simt::lane(), row = lane ^ 1;
  for (int col = 0; col < 8; ++col)
    shared.at[row / 8][row % 8][col] = __float2bfloat16(in[8 * row + col]);
  if (!planted) simt::sync_warp();
  uint32_t r[4];
  simt::load_matrix(r, shared.at[lane / 8][lane % 8]);  // load_without_sync_warp
  for (int i = 0; i < 4; ++i) out[4 * lane + i] = static_cast<float>(r[i] & 0xffffu);
}

/// A row is overwritten while another lane may still load it.
__global__ void store_after_load(bool planted, const float* in, float* out) {
  Matrices& shared = simt::static_shared<Matrices>();
  const int lane = simt::lane();
  const auto fill = [&](int row, float scale) {
    for (int col = 0; col < 8; ++col) {
      const __nv_bfloat16 value = __float2bfloat16(scale * in[8 * row + col]);
      shared.at[row / 8][row % 8][col] = value;  // store_after_load
    }
  };
  fill(lane, 1);
  simt::sync_warp();
  uint32_t r[4], again[4];
  simt::load_matrix(r, shared.at[lane / 8][lane % 8]);  // store_after_load
  if (!planted) simt::sync_warp();
  fill(lane ^ 1, 2);
  simt::sync_warp();
  simt::load_matrix(again, shared.at[lane / 8][lane % 8]);
  for (int i = 0; i < 4; ++i) out[4 * lane + i] = static_cast<float>((r[i] ^ again[i]) & 0xffffu);
}

/// The halves of a warp run their rounds independently.
__global__ void halves_without_second_sync(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x, first = t / 16 * 16;
  const unsigned half = simt::lane() < 16 ? kLowHalf : ~kLowHalf;
  float value = in[t];
  for (int round = 0; round < 3; ++round) {
    shared.at[t] = value;  // halves_without_second_sync
    simt::sync_warp(half);
    value = shared.at[first + (t + 1) % 16];  // halves_without_second_sync
    if (!planted) simt::sync_warp(half);
  }
  out[t] = value;
}

}  // namespace

std::vector<Bug> warp_bugs() {
  return {
      {"missing_sync_warp", launch_one<missing_sync_warp, 1, kThreads>, kWrong, kWrong, kNoBarrier},
      {"sync_of_other_lanes", launch_one<sync_of_other_lanes, 1, kThreads>, kWrong, kWrong,
       kNoBarrier},
      {"shuffle_for_sync", launch_one<shuffle_for_sync, 1, kThreads>, nullptr, nullptr, kNoBarrier},
      {"sync_warp_for_block", launch_one<sync_warp_for_block, 1, kThreads>, kWrong, kWrong,
       kNoBarrier},
      {"halves_without_second_sync", launch_one<halves_without_second_sync, 1, kThreads>, kWrong,
       kWrong, kNoBarrier},
      {"load_without_sync_warp", launch_one<load_without_sync_warp, 1, kWarp>, kWrong, kWrong,
       kNoBarrier},
      {"store_after_load", launch_one<store_after_load, 1, kWarp>, nullptr, nullptr, kNoBarrier},
  };
}

}  // namespace lynceus::simt::races
