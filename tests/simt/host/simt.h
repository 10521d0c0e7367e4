// kernels/cuda/hardware/simt.h for the host: the same names and meanings, which are all that a
// kernel uses of the machine besides plain C++. A thread is a fiber, and the blocks of a launch run
// one after the other. The machine guarantees no more than a GPU does:
//
//   threads of a block run one by one, in ascending or descending order, until they must wait;
//   shared memory has NaNs until it is written; asynchronous copies land when they are waited for;
//   a collective exchanges values but does not order memory; lanes that miss one are reported with
//   the source line.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/dtype.h"
#include "core/stream.h"
#include "engine.h"

#define LYNCEUS_DEVICE inline
#undef __launch_bounds__
#define __launch_bounds__(...)

namespace lynceus::simt {

constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr size_t kPlainSharedBytes = 48 * 1024;

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            const Stream& stream, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  std::tuple<std::decay_t<Parameters>...> values(
      static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  engine::enqueue_launch(stream.native(),
                         {reinterpret_cast<const void*>(kernel), grid, block, shared_bytes,
                          [kernel, values] { std::apply(kernel, values); }});
}

template <typename T>
T& static_shared() {
  static const char key = 0;  // one per type
  return *static_cast<T*>(engine::static_shared(&key, sizeof(T)));
}

template <typename T>
T* dynamic_shared() {
  return static_cast<T*>(engine::dynamic_shared());
}

template <typename T>
[[gnu::always_inline]] inline T& aligned(T* pointer) {
  if (reinterpret_cast<uintptr_t>(pointer) % alignof(T) != 0) engine::fail_unaligned(alignof(T));
  return *pointer;
}

using Site = engine::Site;

inline void sync_block(Site site = Site::current()) { engine::sync_block(site); }
inline void sync_warp(unsigned mask = kWholeWarp, Site site = Site::current()) {
  engine::collective({engine::Kind::kSync, mask, site, nullptr, nullptr});
}

inline int lane() { return engine::lane(); }

namespace internal {

enum class Way { kIndex, kXor, kDown };

template <typename T>
struct Exchange {
  T value, result;
  int lane_or_distance;
  Way way;
  Site site;
};

template <typename T>
void exchange(const engine::Lanes& lanes) {
  for (int i = 0; i < kWarp; ++i) {
    auto* const mine = static_cast<Exchange<T>*>(lanes[i]);
    if (mine == nullptr) continue;
    const int d = mine->lane_or_distance;
    const int from = mine->way == Way::kIndex ? d & (kWarp - 1)
                     : mine->way == Way::kXor ? i ^ d
                     : i + d < kWarp          ? i + d
                                              : i;
    if (from < 0 || from >= kWarp || lanes[from] == nullptr)
      engine::fail("{}: lane {} reads from lane {}, which takes no part", engine::place(mine->site),
                   i, from);
    mine->result = static_cast<Exchange<T>*>(lanes[from])->value;
  }
}

template <typename T>
T shuffle(T value, int lane_or_distance, Way way, unsigned mask, const Site& site) {
  Exchange<T> operand{value, value, lane_or_distance, way, site};
  engine::collective({engine::Kind::kShuffle, mask, site, &operand, exchange<T>});
  return operand.result;
}

}  // namespace internal

template <typename T>
T shuffle(T value, int from, unsigned mask = kWholeWarp, Site site = Site::current()) {
  return internal::shuffle(value, from, internal::Way::kIndex, mask, site);
}
template <typename T>
T shuffle_xor(T value, int distance, unsigned mask = kWholeWarp, Site site = Site::current()) {
  return internal::shuffle(value, distance, internal::Way::kXor, mask, site);
}
template <typename T>
T shuffle_down(T value, int distance, unsigned mask = kWholeWarp, Site site = Site::current()) {
  return internal::shuffle(value, distance, internal::Way::kDown, mask, site);
}
unsigned ballot(bool vote, unsigned mask = kWholeWarp, Site site = Site::current());

template <typename T>
__attribute__((noinline, no_sanitize("thread"))) void atomic_add(T* target, T value) {
  engine::tell_access(target, sizeof(T), engine::Access::kAtomic, __builtin_return_address(0));
  *target += value;
}

inline float fast_exp2(float x) { return std::exp2(x); }
inline float inverse_sqrt(float x) { return 1.0f / std::sqrt(x); }

void copy_async(void* shared, const void* global, bool valid = true, Site site = Site::current());
void commit_copies();
void wait_for_copies(int pending);
template <int kPending>
void wait_copies() {
  wait_for_copies(kPending);
}

void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
              Site site = Site::current());
void load_matrix(uint32_t (&r)[4], const void* row, Site site = Site::current());
void load_matrix_transposed(uint32_t (&r)[4], const void* row, Site site = Site::current());

}  // namespace lynceus::simt

// Declarations that nvcc has and a host compiler has not.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
