// Planted accesses outside the memory of a kernel, and asynchronous copies without the necessary
// barriers.
#include "tests/simt/races.h"

namespace lynceus::simt::races {
namespace {

constexpr int kThreads = 32;

struct Values {
  float at[kThreads + 8];
};

/// The array has kThreads + 1 elements.
__global__ void dynamic_read_off_by_one(bool planted, const float* in, float* out) {
  auto* const shared = simt::dynamic_shared<float>();
  const unsigned t = threadIdx.x;
  shared[t] = in[t];
  if (t == 0) shared[kThreads] = 1;
  simt::sync_block();
  out[t] = shared[t + (planted ? 2 : 1)];  // dynamic_read_off_by_one
}

__global__ void dynamic_write_off_by_one(bool planted, const float* in, float* out) {
  auto* const shared = simt::dynamic_shared<float>();
  const unsigned t = threadIdx.x;
  shared[t + (planted ? 2 : 1)] = in[t];  // dynamic_write_off_by_one
  out[t] = in[t];
}

__global__ void dynamic_write_far_off(bool planted, const float* in, float* out) {
  auto* const shared = simt::dynamic_shared<float>();
  const unsigned t = threadIdx.x;
  shared[planted ? t * 64 : t] = in[t];  // dynamic_write_far_off
  out[t] = in[t];
}

__global__ void static_write_off_by_one(bool planted, const float* in, float* out) {
  float* const shared = simt::static_shared<Values>().at;
  const unsigned t = threadIdx.x;
  shared[t + (planted ? 9 : 8)] = in[t];  // static_write_off_by_one
  out[t] = in[t];
}

__global__ void array_index_off_by_one(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  if (planted || t < 31) shared.at[t + 9] = in[t];  // array_index_off_by_one
  out[t] = in[t];
}

__global__ void global_write_off_by_one(bool planted, const float* in, float* out) {
  const unsigned t = threadIdx.x;
  out[t + kValues - kThreads + (planted ? 1 : 0)] = in[t];  // global_write_off_by_one
}

/// NaNs follow an allocation.
__global__ void global_read_off_by_one(bool planted, const float* in, float* out) {
  const unsigned t = threadIdx.x;
  out[t] = in[t + kValues - kThreads + (planted ? 1 : 0)];  // global_read_off_by_one
}

struct Tiles {
  alignas(16) float at[2][4 * kThreads];
};

/// A thread waited for its own copies, not for those of other threads.
__global__ void wait_without_barrier(bool planted, const float* in, float* out) {
  Tiles& shared = simt::static_shared<Tiles>();
  const unsigned t = threadIdx.x;
  simt::copy_async(&shared.at[0][4 * t], in + 4 * t);  // wait_without_barrier
  simt::commit_copies();
  simt::wait_copies<0>();
  if (!planted) simt::sync_block();
  out[t] = shared.at[0][4 * (t ^ 31u)];  // wait_without_barrier
}

/// A tile is copied into a buffer that other threads still read.
__global__ void early_reuse(bool planted, const float* in, float* out) {
  Tiles& shared = simt::static_shared<Tiles>();
  const unsigned t = threadIdx.x;
  float sum = 0;
  for (int tile = 0; tile < 2; ++tile) {
    simt::copy_async(&shared.at[0][4 * t], in + 4 * (kThreads * tile + t));  // early_reuse
    simt::commit_copies();
    simt::wait_copies<0>();
    simt::sync_block();
    sum += shared.at[0][4 * (t ^ 31u)];  // early_reuse
    if (!planted) simt::sync_block();
  }
  out[t] = sum;
}

struct alignas(8) Pair {
  float low, high;
};
__global__ void unaligned_access(bool planted, const float* in, float* out) {
  const unsigned t = threadIdx.x;
  const auto* const pairs = reinterpret_cast<const Pair*>(in + (planted ? 1 : 0));
  const Pair pair = simt::aligned(pairs + t);  // unaligned_access
  out[t] = pair.low + pair.high;
}

constexpr size_t kShared = (kThreads + 1) * sizeof(float);

}  // namespace

std::vector<Bug> memory_bugs() {
  constexpr const char* kDynamic = "byte 132 of 132 bytes of dynamic shared memory";
  constexpr const char* kStatic = "byte 160 of 160 bytes of static shared memory";
  constexpr const char* kGlobal = "byte 1024 of 1024 bytes of device memory was written";
  constexpr const char* kTouched = "touched byte 1024 of 1024 bytes of global memory";
  constexpr const char* kAligned = "not aligned to 8 bytes";
  return {
      {"dynamic_read_off_by_one", launch_one<dynamic_read_off_by_one, 1, kThreads, kShared>, kWrong,
       kWrong, kDynamic},
      {"dynamic_write_off_by_one", launch_one<dynamic_write_off_by_one, 1, kThreads, kShared>,
       kDynamic, kDynamic, kDynamic},
      {"dynamic_write_far_off", launch_one<dynamic_write_far_off, 1, kThreads, kShared>,
       "touched byte 256 of 132 bytes of dynamic", "touched byte 7936 of 132 bytes of dynamic",
       "of 132 bytes of dynamic"},
      {"static_write_off_by_one", launch_one<static_write_off_by_one, 1, kThreads>, kStatic,
       kStatic, kStatic},
      {"array_index_off_by_one", launch_one<array_index_off_by_one, 1, kThreads>, kStatic, kStatic,
       "an index beyond its array"},
      {"global_write_off_by_one", launch_one<global_write_off_by_one, 1, kThreads>, kGlobal,
       kGlobal, kTouched},
      {"global_read_off_by_one", launch_one<global_read_off_by_one, 1, kThreads>, kWrong, kWrong,
       kTouched},
      {"wait_without_barrier", launch_one<wait_without_barrier, 1, kThreads>, kWrong, kWrong,
       kNoBarrier},
      {"early_reuse", launch_one<early_reuse, 1, kThreads>, kWrong, kWrong, kNoBarrier},
      {"unaligned_access", launch_one<unaligned_access, 1, kThreads>, kAligned, kAligned, kAligned},
  };
}

}  // namespace lynceus::simt::races
