// Planted races between the threads of a block and between the blocks of a launch.
#include "tests/simt/races.h"

namespace lynceus::simt::races {
namespace {

constexpr int kThreads = 64;

struct Values {
  float at[kThreads];
};

__global__ void unsynchronized_read(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];  // unsynchronized_read
  if (!planted) simt::sync_block();
  out[t] = shared.at[kThreads - 1 - t];  // unsynchronized_read
}

/// In ascending order the left neighbour has always run before.
__global__ void left_neighbour(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];  // left_neighbour
  if (!planted) simt::sync_block();
  out[t] = t == 0 ? 0 : shared.at[t - 1];  // left_neighbour
}

__global__ void overwritten_too_early(bool planted, const float* in, float* out) {
  Values& shared = simt::static_shared<Values>();
  const unsigned t = threadIdx.x;
  shared.at[t] = in[t];
  simt::sync_block();
  const float other = shared.at[kThreads - 1 - t];  // overwritten_too_early
  if (!planted) simt::sync_block();
  shared.at[t] = 2 * other;  // overwritten_too_early
  out[t] = shared.at[t];
}

/// Each round needs two barriers. The store of a struct is one access.
struct Pair {
  float low, high;
};
struct Pairs {
  Pair at[kThreads];
};
__global__ void struct_overwritten(bool planted, const float* in, float* out) {
  Pairs& shared = simt::static_shared<Pairs>();
  const unsigned t = threadIdx.x;
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    const Pair mine{in[t] + static_cast<float>(round), in[kThreads + t]};
    shared.at[t] = mine;  // struct_overwritten
    simt::sync_block();
    const Pair other = shared.at[(t + 1) % kThreads];  // struct_overwritten
    sum += other.low * other.high;
    if (!planted) simt::sync_block();
  }
  out[t] = sum;
}

/// Through global memory, within a block.
__global__ void through_global(bool planted, const float* in, float* out) {
  const unsigned t = threadIdx.x;
  out[kThreads + t] = in[t];  // through_global
  if (!planted) simt::sync_block();
  out[t] = out[kThreads + (t + 40) % kThreads];  // through_global
}

__global__ void written_by_blocks(bool planted, const float* in, float* out) {
  if (threadIdx.x != 0) return;
  float* const target = planted ? out : out + blockIdx.x;
  *target = in[blockIdx.x];  // written_by_blocks
}

/// Correct only because blocks run one after the other here.
__global__ void sum_over_blocks(bool planted, const float* in, float* out) {
  if (threadIdx.x != 0) return;
  if (planted)
    out[0] += in[blockIdx.x];  // sum_over_blocks
  else
    simt::atomic_add(out, in[blockIdx.x]);
}

__global__ void read_then_written_by_blocks(bool planted, const float* in, float* out) {
  const unsigned next = (blockIdx.x + 1) % gridDim.x;
  if (threadIdx.x != 0) return;
  const float value = planted ? out[next] : in[next];  // read_then_written_by_blocks
  out[blockIdx.x] = 1 + 0 * value;                     // read_then_written_by_blocks
}

}  // namespace

std::vector<Bug> block_bugs() {
  return {
      {"unsynchronized_read", launch_one<unsynchronized_read, 1, kThreads>, kWrong, kWrong,
       kNoBarrier},
      {"left_neighbour", launch_one<left_neighbour, 1, kThreads>, nullptr, kWrong, kNoBarrier},
      {"overwritten_too_early", launch_one<overwritten_too_early, 1, kThreads>, kWrong, kWrong,
       kNoBarrier},
      {"struct_overwritten", launch_one<struct_overwritten, 1, kThreads>, kWrong, kWrong,
       kNoBarrier},
      {"through_global", launch_one<through_global, 1, kThreads>, kWrong, kWrong, kNoBarrier},
      {"sum_over_blocks", launch_one<sum_over_blocks, 4, kThreads>, nullptr, nullptr, kNoOrder},
      {"written_by_blocks", launch_one<written_by_blocks, 4, kThreads>, kWrong, kWrong, kNoOrder},
      {"read_then_written_by_blocks", launch_one<read_then_written_by_blocks, 4, kThreads>, nullptr,
       nullptr, kNoOrder},
  };
}

}  // namespace lynceus::simt::races
