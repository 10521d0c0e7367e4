// The line with the bug of each kernel ends in "// bug".
#include "tests/simt/seeded.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::simt {
namespace {

using kernels::cuda::BlockScratch;
using kernels::cuda::pointer;

constexpr int kThreads = 64;
constexpr int kLast = kThreads - 1;

/// The output of a block of 64 threads, one value per thread; all blocks write the same values.
template <typename... Parameters>
std::vector<float> run_block(const Stream& stream, void (*kernel)(Parameters...),
                             size_t shared_bytes = 0, unsigned threads = kThreads) {
  std::vector<float> numbers(2 * kThreads);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const Tensor in = Tensor::from(stream, {2 * kThreads}, numbers);
  const Tensor out = Tensor::zeros(stream, {kThreads});
  launch(kernel, 1, threads, shared_bytes, stream, pointer<float>(in), pointer<float>(out));
  return out.to_vector<float>();
}

/// Whether the value of each thread is expected(thread). A NaN never is.
template <typename Expected>
bool all(const std::vector<float>& values, Expected expected) {
  for (int i = 0; i < static_cast<int>(values.size()); ++i)
    if (!(values[static_cast<size_t>(i)] == static_cast<float>(expected(i)))) return false;
  return true;
}

struct Slots {
  float at[kThreads];
};
LYNCEUS_DEVICE int me() { return static_cast<int>(threadIdx.x); }
LYNCEUS_DEVICE int above(int i) { return i < kLast ? i + 1 : kLast; }
LYNCEUS_DEVICE int below(int i) { return i > 0 ? i - 1 : 0; }

// The neighbour's slot is read without a barrier after its write.
template <int (*kNeighbour)(int)>
__global__ void unmet_before_read(const float* in, float* out) {
  auto& slots = static_shared<Slots>();
  slots.at[me()] = in[me()];
  out[me()] = slots.at[kNeighbour(me())];  // bug
}
template <int (*kNeighbour)(int)>
bool missing_barrier_before_read(const Stream& stream) {
  return all(run_block(stream, unmet_before_read<kNeighbour>), kNeighbour);
}

// The second round overwrites a value that a neighbour has not read yet in the first.
template <int (*kNeighbour)(int)>
__global__ void unmet_after_read(const float* in, float* out) {
  auto& slots = static_shared<Slots>();
  float sum = 0;
  for (int round = 0; round < 2; ++round) {
    slots.at[me()] = in[me() + round];  // bug
    sync_block();
    sum += slots.at[kNeighbour(me())];
  }
  out[me()] = sum;
}
template <int (*kNeighbour)(int)>
bool missing_barrier_after_read(const Stream& stream) {
  return all(run_block(stream, unmet_after_read<kNeighbour>),
             [](int i) { return 2 * kNeighbour(i) + 1; });
}

// A sum over the block whose scratch memory is reused without a barrier.
__global__ void eager_block_sums(const float* in, float* out) {
  auto& scratch = static_shared<BlockScratch>();
  float sums = 0;
  for (int round = 0; round < 2; ++round) {
    const float sum = kernels::cuda::warp_sum(in[me() + round]);
    if (lane() == 0) scratch.warp[me() / kWarp] = sum;  // bug
    sync_block();
    sums += scratch.warp[0] + scratch.warp[1];
  }
  out[me()] = sums;
}
bool eager_block_sum(const Stream& stream) {
  constexpr int kSum = kThreads * kLast / 2;
  return all(run_block(stream, eager_block_sums), [](int) { return 2 * kSum + kThreads; });
}

__global__ void sum_by_wrong_lanes(const float* in, float* out) {
  float value = in[lane()];
  for (int distance = 1; distance < kWarp / 2; distance *= 2)  // bug
    value += shuffle_xor(value, distance);
  out[me()] = value;
}
bool wrong_shuffle_lane(const Stream& stream) {
  return all(run_block(stream, sum_by_wrong_lanes), [](int) { return kWarp * (kWarp - 1) / 2; });
}

__global__ void shuffle_from_outside(const float* in, float* out) {
  float value = in[lane()];
  if (lane() < 16) value = shuffle_xor(value, 16, 0xffffu);  // bug
  out[me()] = value;
}
bool shuffle_from_lane_outside(const Stream& stream) {
  return all(run_block(stream, shuffle_from_outside), [](int) { return 0; });
}

__global__ void meet_in_part(const float* in, float* out) {
  if (me() < 16) sync_block();  // bug
  out[me()] = in[me()];
}
bool divergent_barrier(const Stream& stream) {
  return all(run_block(stream, meet_in_part), [](int i) { return i; });
}

__global__ void meet_in_two_places(const float* in, float* out) {
  if (me() < 16)
    sync_block();
  else
    sync_block();  // bug
  out[me()] = in[me()];
}
bool barrier_in_two_branches(const Stream& stream) {
  return all(run_block(stream, meet_in_two_places), [](int i) { return i; });
}

__global__ void meet_the_returned(const float* in, float* out) {
  if (me() == kLast) return;  // bug
  sync_block();
  out[me()] = in[me()];
}
bool barrier_after_return(const Stream& stream) {
  return all(run_block(stream, meet_the_returned), [](int i) { return i; });
}

__global__ void write_one_further(const float* in, float* out) {
  auto* const slots = dynamic_shared<float>();
  for (int i = me(); i <= kThreads; i += kThreads) slots[i] = in[i];  // bug
  sync_block();
  out[me()] = slots[me()];
}
bool off_by_one(const Stream& stream) {
  return all(run_block(stream, write_one_further, kThreads * sizeof(float)),
             [](int i) { return i; });
}

__global__ void read_unwritten(const float* in, float* out) {
  auto* const slots = dynamic_shared<float>();
  if (me() > 0) slots[me()] = in[me()];  // bug
  sync_block();
  out[me()] = slots[me()];
}
bool read_of_unwritten(const Stream& stream) {
  return all(run_block(stream, read_unwritten, kThreads * sizeof(float)), [](int i) { return i; });
}

// Copies of 16 bytes by 16 threads fill a buffer of 64 values.
LYNCEUS_DEVICE void copy_slots(float* buffer, const float* in) {
  if (me() < kThreads / 4) copy_async(buffer + 4 * me(), in + 4 * me());
  commit_copies();
}

__global__ void wait_for_all_but_one(const float* in, float* out) {
  auto* const buffer = dynamic_shared<float>();
  copy_slots(buffer, in);
  wait_copies<1>();  // bug
  sync_block();
  out[me()] = buffer[me()];
  wait_copies<0>();
}
bool weak_wait(const Stream& stream) {
  return all(run_block(stream, wait_for_all_but_one, kThreads * sizeof(float)),
             [](int i) { return i; });
}

__global__ void end_without_wait(const float* in, float* out) {
  copy_slots(dynamic_shared<float>(), in);  // bug
  out[me()] = in[me()];
}
bool copies_never_waited_for(const Stream& stream) {
  return all(run_block(stream, end_without_wait, kThreads * sizeof(float)),
             [](int i) { return i; });
}

// The thread that waited sees its copy, other threads may not.
template <int (*kNeighbour)(int)>
__global__ void wait_alone(const float* in, float* out) {
  auto* const buffer = dynamic_shared<float>();
  copy_async(buffer + 4 * me(), in + me() / 4 * 4);
  commit_copies();
  wait_copies<0>();
  out[me()] = buffer[4 * kNeighbour(me())];  // bug
}
template <int (*kNeighbour)(int)>
bool wait_without_barrier(const Stream& stream) {
  return all(run_block(stream, wait_alone<kNeighbour>, 16 * kThreads),
             [](int i) { return kNeighbour(i) / 4 * 4; });
}

// The next tile is copied into a buffer that other threads still read.
template <int (*kNeighbour)(int)>
__global__ void copy_over_reads(const float* in, float* out) {
  auto* const buffer = dynamic_shared<float>();
  float sum = 0;
  for (int tile = 0; tile < 2; ++tile) {
    copy_async(buffer + 4 * me(), in + me() / 4 * 4 + 4 * tile);  // bug
    commit_copies();
    wait_copies<0>();
    sync_block();
    sum += buffer[4 * kNeighbour(me())];
  }
  out[me()] = sum;
}
template <int (*kNeighbour)(int)>
bool early_buffer_reuse(const Stream& stream) {
  return all(run_block(stream, copy_over_reads<kNeighbour>, 16 * kThreads),
             [](int i) { return 2 * (kNeighbour(i) / 4 * 4) + 4; });
}

__global__ void copy_unaligned(const float* in, float* out) {
  auto* const buffer = dynamic_shared<float>();
  if (me() == 0) copy_async(buffer, in + 1);  // bug
  commit_copies();
  wait_copies<0>();
  sync_block();
  out[me()] = in[me()];
}
bool unaligned_copy(const Stream& stream) {
  return all(run_block(stream, copy_unaligned, 16), [](int i) { return i; });
}

// The lanes of a warp do not run in lockstep.
template <int (*kNeighbour)(int)>
__global__ void trust_the_warp(const float* in, float* out) {
  auto& slots = static_shared<Slots>();
  slots.at[me()] = in[me()];
  const int other = me() / kWarp * kWarp + kNeighbour(lane());
  out[me()] = slots.at[other < kThreads ? other : kLast];  // bug
}
LYNCEUS_DEVICE int lane_above(int i) { return i < kWarp - 1 ? i + 1 : i; }
template <int (*kNeighbour)(int)>
bool missing_warp_barrier(const Stream& stream) {
  return all(run_block(stream, trust_the_warp<kNeighbour>),
             [](int i) { return i / kWarp * kWarp + kNeighbour(i % kWarp); });
}

// load_matrix waits for the lanes, not for their writes. Row r of 32 has the value r.
__global__ void load_unmet_rows(const float* in, float* out) {
  auto* const rows = dynamic_shared<uint32_t>();
  const int written = kWarp - 1 - lane();  // another lane than the one that gives its address
  for (int i = 0; i < 4; ++i) rows[4 * written + i] = static_cast<uint32_t>(written);
  uint32_t fragment[4];
  load_matrix(fragment, rows + 4 * lane());  // bug
  out[lane()] = static_cast<float>(fragment[0] + fragment[3]) + in[0];
  out[lane() + kWarp] = 0;
}
bool missing_warp_barrier_before_load(const Stream& stream) {
  return all(run_block(stream, load_unmet_rows, 16 * kWarp, kWarp),
             [](int i) { return i < kWarp ? 24 + 2 * (i / 4) : 0; });
}

__global__ void load_unaligned(const float* in, float* out) {
  auto* const rows = dynamic_shared<uint32_t>();
  for (int i = lane(); i < 5 * kWarp; i += kWarp) rows[i] = 0;
  sync_warp();
  uint32_t fragment[4];
  load_matrix(fragment, rows + 4 * lane() + 1);  // bug
  out[lane()] = in[lane()];
}
bool unaligned_rows(const Stream& stream) {
  run_block(stream, load_unaligned, 20 * kWarp, kWarp);
  return true;
}

__global__ void sum_half_with_whole_mask(const float* in, float* out) {
  float value = in[me()];
  if (lane() < 16) value += shuffle_xor(value, 1);  // bug
  out[me()] = value;
}
bool mask_of_lanes_elsewhere(const Stream& stream) {
  return all(run_block(stream, sum_half_with_whole_mask), [](int i) { return i; });
}

__global__ void sum_without_self(const float* in, float* out) {
  out[me()] = shuffle(in[me()], 0, 0xffffu);  // bug
}
bool mask_without_self(const Stream& stream) {
  return all(run_block(stream, sum_without_self), [](int) { return 0; });
}

__global__ void sum_under_two_masks(const float* in, float* out) {
  out[me()] = shuffle_xor(in[me()], 1, lane() % 4 < 2 ? kWholeWarp : 0xccccccccu);  // bug
}
bool masks_that_differ(const Stream& stream) {
  return all(run_block(stream, sum_under_two_masks), [](int i) { return i ^ 1; });
}

__global__ void vote_where_others_shuffle(const float* in, float* out) {
  const bool low = lane() < 16;
  out[me()] = low ? shuffle_xor(in[me()], 1) : static_cast<float>(ballot(true));  // bug
}
bool collectives_that_differ(const Stream& stream) {
  return all(run_block(stream, vote_where_others_shuffle), [](int i) { return i; });
}

__global__ void name_lanes_that_are_not(const float* in, float* out) {
  out[me()] = shuffle_xor(in[me()], 1);  // bug, in a warp of 16
}
bool mask_of_lanes_that_are_not(const Stream& stream) {
  return all(run_block(stream, name_lanes_that_are_not, 0, kThreads - 16), [](int i) { return i; });
}

}  // namespace

std::vector<SeededBug> seeded_bugs() {
  constexpr auto kRight = Outcome::kRight;
  constexpr auto kWrong = Outcome::kWrong;
  constexpr auto kReported = Outcome::kReported;
  const std::string line = "seeded\\.cu:[0-9]+";
  return {
      {"MissingBarrierBeforeReadAbove", missing_barrier_before_read<above>, kWrong, kRight, ""},
      {"MissingBarrierBeforeReadBelow", missing_barrier_before_read<below>, kRight, kWrong, ""},
      {"MissingBarrierAfterReadAbove", missing_barrier_after_read<above>, kRight, kWrong, ""},
      {"MissingBarrierAfterReadBelow", missing_barrier_after_read<below>, kWrong, kRight, ""},
      {"EagerBlockSum", eager_block_sum, kWrong, kWrong, ""},
      {"WrongShuffleLane", wrong_shuffle_lane, kWrong, kWrong, ""},
      {"ShuffleFromLaneOutside", shuffle_from_lane_outside, kReported, kReported,
       "lane 16, which takes no part"},
      {"DivergentBarrier", divergent_barrier, kReported, kReported, "barrier .*" + line},
      {"BarrierInTwoBranches", barrier_in_two_branches, kReported, kReported,
       "different barriers.*" + line + ".*" + line},
      {"BarrierAfterReturn", barrier_after_return, kReported, kReported, "barrier .*" + line},
      {"OffByOne", off_by_one, kReported, kReported, "256 bytes of (dynamic )?shared memory"},
      {"ReadOfUnwritten", read_of_unwritten, kWrong, kWrong, ""},
      {"WeakWait", weak_wait, kWrong, kWrong, ""},
      {"CopiesNeverWaitedFor", copies_never_waited_for, kReported, kReported,
       "before its asynchronous copies"},
      {"WaitWithoutBarrierAbove", wait_without_barrier<above>, kWrong, kRight, ""},
      {"WaitWithoutBarrierBelow", wait_without_barrier<below>, kRight, kWrong, ""},
      {"EarlyBufferReuseAbove", early_buffer_reuse<above>, kRight, kWrong, ""},
      {"EarlyBufferReuseBelow", early_buffer_reuse<below>, kWrong, kRight, ""},
      {"UnalignedCopy", unaligned_copy, kReported, kReported, line + ": .*unaligned"},
      {"MissingWarpBarrierAbove", missing_warp_barrier<lane_above>, kWrong, kRight, ""},
      {"MissingWarpBarrierBelow", missing_warp_barrier<below>, kRight, kWrong, ""},
      {"MissingWarpBarrierBeforeLoad", missing_warp_barrier_before_load, kWrong, kWrong, ""},
      {"UnalignedRows", unaligned_rows, kReported, kReported, line + ": .*not aligned"},
      {"MaskOfLanesElsewhere", mask_of_lanes_elsewhere, kReported, kReported,
       line + " for lanes 0xffffffff"},
      {"MaskWithoutSelf", mask_without_self, kReported, kReported, line + ".*without itself"},
      {"MasksThatDiffer", masks_that_differ, kReported, kReported, line + " for lanes 0xffffffff"},
      {"CollectivesThatDiffer", collectives_that_differ, kReported, kReported,
       "collective .*" + line},
      {"MaskOfLanesThatAreNot", mask_of_lanes_that_are_not, kReported, kReported, line},
  };
}

}  // namespace lynceus::simt
