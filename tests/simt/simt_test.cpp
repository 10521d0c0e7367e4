// The shim works as kernels/cuda/hardware/simt.h says: launches, the memory of a block, barriers,
// warp collectives, asynchronous copies. The matrix unit is tested in matrix_test.cpp. Runs in both
// orders of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::simt {
namespace {

using kernels::cuda::pointer;

class Simt : public testing::Test {
 protected:
  /// f32 zeros, or `count` floats 0, 1, 2...
  Tensor zeros(int64_t count) const { return Tensor::zeros(stream_, {count}); }
  Tensor numbers(int64_t count) const {
    std::vector<float> values(static_cast<size_t>(count));
    std::iota(values.begin(), values.end(), 0.0f);
    return Tensor::from(stream_, {count}, values);
  }
  /// The output of kernel(in, out) for the input 0, 1, 2...: one value per thread.
  std::vector<float> run(void (*kernel)(const float*, float*), int threads,
                         size_t shared_bytes = 0) const {
    const Tensor in = numbers(4 * threads), out = zeros(threads);
    launch(kernel, 1, static_cast<unsigned>(threads), shared_bytes, stream_, pointer<float>(in),
           pointer<float>(out));
    return out.to_vector<float>();
  }

  Stream stream_{Device{DeviceKind::kCuda, 0}};
};

template <typename Expected>
void expect_each(const std::vector<float>& values, Expected expected) {
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], static_cast<float>(expected(static_cast<int>(i)))) << "thread " << i;
}

int me() { return static_cast<int>(threadIdx.x); }
bool is_poison(float value) { return std::bit_cast<uint32_t>(value) == 0xffffffffu; }

void write_place(float* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  const unsigned place = block * threads + thread;
  out[place] += static_cast<float>(1000 * place) + static_cast<float>(lane());
}
TEST_F(Simt, EveryThreadOfEveryBlockRunsOnce) {
  constexpr int kBlocks = 2 * 3 * 2, kThreads = 5 * 3 * 4;
  const Tensor out = zeros(kBlocks * kThreads);
  launch(write_place, dim3(2, 3, 2), dim3(5, 3, 4), 0, stream_, pointer<float>(out));
  expect_each(out.to_vector<float>(), [](int i) { return 1000 * i + i % kThreads % kWarp; });
}

TEST_F(Simt, EmptyGridLaunchesNothing) {
  const Tensor out = zeros(64);
  launch(write_place, dim3(2, 0, 2), 32, 0, stream_, pointer<float>(out));
  expect_each(out.to_vector<float>(), [](int) { return 0; });
}

struct Numbers {
  float at[3];
};
void write_argument(Numbers numbers, float* out) {
  for (int i = 0; i < 3; ++i) out[i] = numbers.at[i];
}
TEST_F(Simt, ArgumentsAreTakenAtTheLaunch) {
  const Tensor out = zeros(3);
  Numbers given{{1, 2, 3}};
  launch(write_argument, 1, 1, 0, stream_, given, pointer<float>(out));
  given = {};
  expect_each(out.to_vector<float>(), [](int i) { return i + 1; });
}

struct Object {
  float at[96];
};
// 1 for each thread whose slots in both memories hold poison, and 2 if both are aligned.
void look_for_poison(float* out) {
  auto& object = static_shared<Object>();
  auto* const slots = dynamic_shared<float>();
  const bool poisoned = is_poison(object.at[me()]) && is_poison(slots[me()]);
  const bool aligned = reinterpret_cast<uintptr_t>(&object) % 128 == 0 &&
                       reinterpret_cast<uintptr_t>(slots) % 128 == 0;
  object.at[me()] = slots[me()] = 7;
  sync_block();
  const int other = (me() + 41) % 96;
  const bool kept = object.at[other] + slots[other] == 14;
  out[96 * blockIdx.x + threadIdx.x] = static_cast<float>(poisoned + 2 * aligned + 4 * kept);
}
TEST_F(Simt, SharedMemoryOfEachBlockBeginsPoisoned) {
  const Tensor out = zeros(2 * 96);
  for (int launches = 0; launches < 2; ++launches)
    launch(look_for_poison, 2, 96, 96 * sizeof(float), stream_, pointer<float>(out));
  expect_each(out.to_vector<float>(), [](int) { return 7; });
}

// Rotates the values by one, ten times, through two buffers.
void turn(const float* in, float* out) {
  auto* const slots = dynamic_shared<float>();
  const int threads = static_cast<int>(blockDim.x);
  float value = in[me()];
  for (int round = 0; round < 10; ++round) {
    float* const buffer = slots + round % 2 * threads;
    buffer[me()] = value;
    sync_block();
    value = buffer[(me() + 1) % threads];
  }
  out[me()] = value;
}
TEST_F(Simt, BarrierOrdersBlocksOfAnySize) {
  for (const int threads : {1, 31, 32, 33, 200, 1024})
    expect_each(run(turn, threads, 2 * sizeof(float) * static_cast<size_t>(threads)),
                [&](int i) { return (i + 10) % threads; });
}

// The halves of a warp synchronize separately, at different places and different numbers of times.
void turn_halves(const float* in, float* out) {
  auto& slots = static_shared<Object>();
  const int half = lane() / 16, first = me() / 16 * 16;
  const unsigned mask = half == 0 ? 0x0000ffffu : 0xffff0000u;
  float value = in[me()];
  for (int round = 0; round < 1 + half; ++round) {
    slots.at[me()] = value;
    sync_warp(mask);
    value = slots.at[first + (me() + 1) % 16];
    sync_warp(mask);
  }
  out[me()] = value;
}
TEST_F(Simt, WarpBarrierMeetsItsMask) {
  expect_each(run(turn_halves, 96), [](int i) { return i / 16 * 16 + (i + 1 + i / 16 % 2) % 16; });
}

void exchange_by_index(const float* in, float* out) {
  out[me()] = shuffle(in[me()], (lane() * 7 + 3) % kWarp);
}
void exchange_by_index_beyond(const float* in, float* out) {
  out[me()] = shuffle(in[me()], lane() + kWarp + 1);
}
void exchange_by_xor(const float* in, float* out) { out[me()] = shuffle_xor(in[me()], 5); }
void exchange_down(const float* in, float* out) { out[me()] = shuffle_down(in[me()], 9); }
TEST_F(Simt, ShufflesReadTheLaneTheyName) {
  const auto first = [](int i) { return i / kWarp * kWarp; };
  expect_each(run(exchange_by_index, 64),
              [&](int i) { return first(i) + (i % kWarp * 7 + 3) % kWarp; });
  expect_each(run(exchange_by_index_beyond, 64), [&](int i) { return first(i) + (i + 1) % kWarp; });
  expect_each(run(exchange_by_xor, 64), [](int i) { return i ^ 5; });
  expect_each(run(exchange_down, 64), [](int i) { return i % kWarp + 9 < kWarp ? i + 9 : i; });
}

void exchange_wide(const float* in, float* out) {
  const double wide = static_cast<double>(in[me()]) + 1e-12;
  const int64_t whole = (int64_t{1} << 40) + me();
  const bool right = shuffle_xor(wide, 1) == static_cast<double>(me() ^ 1) + 1e-12 &&
                     shuffle(whole, 3) == (int64_t{1} << 40) + 3;
  out[me()] = right ? 1 : 0;
}
TEST_F(Simt, ShufflesTakeEightBytes) {
  expect_each(run(exchange_wide, 32), [](int) { return 1; });
}

// Quarters of a warp under their own masks; odd ones skip it; all synchronize at the end.
void exchange_in_parts(const float* in, float* out) {
  const int quarter = lane() / 8;
  float value = in[me()];
  if (quarter % 2 == 0) {
    const unsigned mask = 0xffu << 8 * quarter;
    value = shuffle(value, 8 * quarter + 7, mask);
    if (ballot(lane() % 2 == 0, mask) != (0x55u << 8 * quarter)) value = -1;
  }
  out[me()] = value + 100 * shuffle_xor(value, 31);
}
TEST_F(Simt, PartialMasksMeetAlone) {
  const auto value = [](int i) { return i / 8 % 2 == 0 ? i / 8 * 8 + 7 : i; };
  expect_each(run(exchange_in_parts, 64), [&](int i) { return value(i) + 100 * value(i ^ 31); });
}

void vote(const float* in, float* out) {
  const unsigned votes = ballot(static_cast<int>(in[me()]) % 3 == 0);
  unsigned expected = 0;
  for (int i = 0; i < kWarp; ++i)
    if ((me() / kWarp * kWarp + i) % 3 == 0) expected |= 1u << i;
  out[me()] = votes == expected ? 1 : 0;
}
TEST_F(Simt, BallotHasABitALane) {
  expect_each(run(vote, 64), [](int) { return 1; });
}

// A warp with fewer than 32 lanes: the mask names them.
void exchange_in_short_warp(const float* in, float* out) {
  out[me()] = shuffle_xor(in[me()], 1, me() < kWarp ? kWholeWarp : 0xffu);
}
TEST_F(Simt, ShortWarpExchangesUnderItsMask) {
  expect_each(run(exchange_in_short_warp, 40), [](int i) { return i ^ 1; });
}

void reduce_block(const float* in, float* out) {
  auto& scratch = static_shared<kernels::cuda::BlockScratch>();
  const float first = kernels::cuda::block_sum(in[me()], scratch);
  const float second = kernels::cuda::block_sum(2 * in[me()], scratch);
  const float largest = kernels::cuda::block_max(-in[me()] - 3, scratch);
  out[me()] = first + second + largest;
}
TEST_F(Simt, BlockSumAndMaximumReachEveryThread) {
  for (const int threads : {32, 64, 256, 1024})
    expect_each(run(reduce_block, threads),
                [&](int) { return 3 * (threads * (threads - 1) / 2) - 3; });
}

void add_whole(const float* in, float* out) {
  atomic_add(out, in[me()]);
  if (me() % 2 == 1) atomic_add(out + 1, 1.0f);
}
TEST_F(Simt, AtomicAddAddsEach) {
  const Tensor in = numbers(64), out = zeros(2);
  launch(add_whole, 3, 64, 0, stream_, pointer<float>(in), pointer<float>(out));
  EXPECT_EQ(out.to_vector<float>(), (std::vector<float>{3 * 2016, 96}));
}

// One group for each of three tiles; each must land at its own wait and not earlier. The digits of
// `out` are the numbers of landed tiles after each wait.
void copy_in_groups(const float* in, float* out) {
  auto* const tiles = dynamic_shared<float>();
  float* mine[3];
  for (int tile = 0; tile < 3; ++tile) {
    mine[tile] = tiles + 4 * (tile * static_cast<int>(blockDim.x) + me());
    copy_async(mine[tile], in + 4 * me());
    commit_copies();
  }
  const auto landed = [&] {
    int count = 0;
    for (int tile = 0; tile < 3; ++tile)
      for (int i = 0; i < 4; ++i) count += mine[tile][i] == in[4 * me() + i];
    return count % 4 == 0 ? count / 4 : 9;
  };
  int digits = landed();
  wait_copies<2>();
  digits = 10 * digits + landed();
  wait_copies<2>();
  digits = 10 * digits + landed();
  wait_copies<0>();
  digits = 10 * digits + landed();
  out[me()] = static_cast<float>(digits);
}
TEST_F(Simt, CopiesLandByGroups) {
  expect_each(run(copy_in_groups, 32, 3 * 16 * 32), [](int) { return 113; });
}

// Groups without copies count too; an invalid copy reads nothing and writes zeros.
void copy_nothing(const float* in, float* out) {
  auto* const slots = dynamic_shared<float>() + 4 * me();
  copy_async(slots, in + 4 * me(), me() % 2 == 0);
  commit_copies();
  commit_copies();
  wait_copies<1>();
  out[me()] = slots[0] + slots[3];
}
void copy_from_nowhere(const float*, float* out) {
  auto* const slots = dynamic_shared<float>() + 4 * me();
  copy_async(slots, reinterpret_cast<const void*>(uintptr_t{16}), false);
  commit_copies();
  wait_copies<0>();
  out[me()] = slots[1] + slots[2];
}
TEST_F(Simt, CopiesWithoutASourceAreZeros) {
  expect_each(run(copy_nothing, 32, 16 * 32), [](int i) { return i % 2 == 0 ? 8 * i + 3 : 0; });
  expect_each(run(copy_from_nowhere, 32, 16 * 32), [](int) { return 0; });
}

void approximate(const float* in, float* out) {
  const float x = in[me()] / 4 - 6;
  const bool close = std::abs(fast_exp2(x) / std::exp2(x) - 1) < 1e-6f &&
                     std::abs(inverse_sqrt(in[me()] + 1) * std::sqrt(in[me()] + 1) - 1) < 1e-6f;
  out[me()] = close ? 1 : 0;
}
TEST_F(Simt, FastFunctionsAreClose) {
  expect_each(run(approximate, 64), [](int) { return 1; });
}

}  // namespace
}  // namespace lynceus::simt
