// One pass over memory; one launch for many tensors, which are passed in the kernel's arguments.
#include "kernels/device/adamw.h"

#include <algorithm>

#include "kernels/adamw_factors.h"
#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPack = 4;
constexpr int kBlockElements = 4 * kThreads * kPack;

struct Slot {
  const float* grad;
  float* value;
  float* m;
  float* v;
  __nv_bfloat16* rounded;  // null: not wanted
  int64_t count;
  AdamWFactors factors;
  unsigned first_block;
  bool packs;
};

constexpr int kSlots = 44;

struct Slots {
  Slot slot[kSlots];
  int count;
};
static_assert(sizeof(Slots) <= 4096, "what every CUDA takes as arguments of a kernel");

template <int kCount>
LYNCEUS_DEVICE void update_pack(const Slot& slot, int64_t at) {
  const AdamWFactors& f = slot.factors;
  float g[kCount], p[kCount], first[kCount], second[kCount];
  read_pack(slot.grad + at, g);
  read_pack(slot.value + at, p);
  read_pack(slot.m + at, first);
  read_pack(slot.v + at, second);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    g[i] *= f.grad_scale;
    first[i] += f.rate1 * (g[i] - first[i]);
    second[i] += f.rate2 * (g[i] * g[i] - second[i]);
    const float denominator = sqrtf(second[i]) * f.root_factor + f.eps;
    p[i] -= f.decay * p[i] + f.step_size * (first[i] / denominator);
  }
  write_pack(slot.value + at, p);
  write_pack(slot.m + at, first);
  write_pack(slot.v + at, second);
  if (slot.rounded != nullptr) write_pack(slot.rounded + at, p);
}

__global__ void __launch_bounds__(kThreads) update(const Slots slots) {
  int mine = 0;
  while (mine + 1 < slots.count && slots.slot[mine + 1].first_block <= blockIdx.x) ++mine;
  const Slot& slot = slots.slot[mine];
  const int64_t begin = int64_t{blockIdx.x - slot.first_block} * kBlockElements;
  const int64_t end = begin + kBlockElements < slot.count ? begin + kBlockElements : slot.count;
  int64_t rest = begin;
  if (slot.packs) {
    rest = begin + (end - begin) / kPack * kPack;
    for (int64_t at = begin + int64_t{threadIdx.x} * kPack; at < rest; at += kThreads * kPack)
      update_pack<kPack>(slot, at);
  }
  for (int64_t at = rest + threadIdx.x; at < end; at += kThreads) update_pack<1>(slot, at);
}

bool fits(const AdamWUpdate& update) {
  for (const Tensor* tensor : {&update.grad, &update.value, &update.m, &update.v, &update.rounded})
    if (!fits_packs(*tensor, kPack, kPack)) return false;
  return true;
}

void adamw(const Stream& stream, std::span<const AdamWUpdate> updates) {
  for (size_t begin = 0; begin < updates.size(); begin += kSlots) {
    Slots slots{};
    unsigned blocks = 0;
    for (const AdamWUpdate& one :
         updates.subspan(begin, std::min<size_t>(kSlots, updates.size() - begin))) {
      slots.slot[slots.count++] = {
          pointer<float>(one.grad),
          pointer<float>(one.value),
          pointer<float>(one.m),
          pointer<float>(one.v),
          one.rounded.defined() ? pointer<__nv_bfloat16>(one.rounded) : nullptr,
          one.value.size(),
          AdamWFactors(one.step),
          blocks,
          fits(one)};
      blocks += blocks_for(one.value.size(), kBlockElements);
    }
    simt::launch(update, blocks, kThreads, 0, stream, slots);
  }
}

}  // namespace

const AdamWKernels kAdamW = {.adamw = adamw};

}  // namespace lynceus::kernels::cuda
