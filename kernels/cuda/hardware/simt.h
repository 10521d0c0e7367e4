// The hardware features that a kernel uses on a GPU: launches, shared memory, barriers, warp
// collectives, asynchronous copies, matrix units. tests/simt/host/simt.h has the same names for the
// host, where threads are fibers; the include path chooses. No other file uses <<<>>>, __shared__,
// __syncthreads, __shfl or asm.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "core/check.h"
#include "core/stream.h"

#define LYNCEUS_DEVICE __device__ __forceinline__

namespace lynceus::simt {

constexpr int kWarp = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr size_t kPlainSharedBytes = 48 * 1024;  // more needs an attribute of the kernel

/// Submits kernel(arguments...) to the stream's queue. shared_bytes: for dynamic_shared(). A grid
/// without blocks is not launched. Errors: InternalError with the runtime's text.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            const Stream& stream, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  cudaError_t status = cudaSuccess;
  if (shared_bytes > kPlainSharedBytes)
    status = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                  cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared_bytes));
  if (status == cudaSuccess) {
    kernel<<<grid, block, shared_bytes, static_cast<cudaStream_t>(stream.native())>>>(
        static_cast<Parameters>(std::forward<Arguments>(arguments))...);
    status = cudaGetLastError();
  }
  LYNCEUS_CHECK(status == cudaSuccess, "launch of {} x {} x {} blocks of {} threads, {} bytes: {}",
                grid.x, grid.y, grid.z, block.x * block.y * block.z, shared_bytes,
                cudaGetErrorString(status));
}

/// The block's shared memory of one type, uninitialized; one such type per kernel.
template <typename T>
LYNCEUS_DEVICE T& static_shared() {
  __shared__ __align__(128) unsigned char memory[sizeof(T)];
  return *reinterpret_cast<T*>(memory);
}

/// The shared_bytes of the launch, aligned to 128 bytes, uninitialized.
template <typename T>
LYNCEUS_DEVICE T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char lynceus_dynamic_shared[];
  return reinterpret_cast<T*>(lynceus_dynamic_shared);
}

/// *pointer, for types of several elements that are moved at once: it must be aligned for T.
template <typename T>
LYNCEUS_DEVICE T& aligned(T* pointer) {
  return *pointer;
}

/// A barrier of the block: its threads then see what the others wrote before.
LYNCEUS_DEVICE void sync_block() { __syncthreads(); }
/// The same for the threads of `mask` in a warp.
LYNCEUS_DEVICE void sync_warp(unsigned mask = kWholeWarp) { __syncwarp(mask); }

/// This thread's index in its warp; threads of a block are counted along x, then y, then z.
LYNCEUS_DEVICE int lane() {
  return static_cast<int>((threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) %
                          kWarp);
}

// Warp collectives: every thread of `mask` calls them at the same place. They are no memory
// barrier.
template <typename T>
LYNCEUS_DEVICE T shuffle(T value, int from, unsigned mask = kWholeWarp) {
  return __shfl_sync(mask, value, from);
}
template <typename T>
LYNCEUS_DEVICE T shuffle_xor(T value, int distance, unsigned mask = kWholeWarp) {
  return __shfl_xor_sync(mask, value, distance);
}
template <typename T>
LYNCEUS_DEVICE T shuffle_down(T value, int distance, unsigned mask = kWholeWarp) {
  return __shfl_down_sync(mask, value, static_cast<unsigned>(distance));
}
LYNCEUS_DEVICE unsigned ballot(bool vote, unsigned mask = kWholeWarp) {
  return __ballot_sync(mask, vote);
}

/// Atomic *target += value in any order: only where the order does not change the result.
template <typename T>
LYNCEUS_DEVICE void atomic_add(T* target, T value) {
  atomicAdd(target, value);
}

/// exp2(x), 1/sqrt(x) to a couple of units in the last place.
LYNCEUS_DEVICE float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
LYNCEUS_DEVICE float inverse_sqrt(float x) { return rsqrtf(x); }

// Asynchronous copies of 16 aligned bytes from global to shared memory. The data is visible to this
// thread after wait_copies(), to the others after a barrier as well.
LYNCEUS_DEVICE uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}
/// With `valid` false, global memory is not read and zeros are written.
LYNCEUS_DEVICE void copy_async(void* shared, const void* global, bool valid = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}
/// The copies since the last commit become one group.
LYNCEUS_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }
/// Waits until all but the latest `kPending` groups are complete.
template <int kPending>
LYNCEUS_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

// The matrix unit. A warp's fragments as in PTX's mma.m16n8k16, g = lane / 4, t = lane % 4:
//   a[0]: row g, columns 2t..2t+1   a[1]: row g + 8   a[2]: row g, columns 2t+8..   a[3]: both + 8
//   b[0]: rows 2t..2t+1 of column g                   b[1]: rows 2t+8..2t+9
//   c[0..1]: row g, columns 2t..2t+1                  c[2..3]: row g + 8
/// c [16, 8] += a [16, 16] · b [16, 8], bf16 pairs (the lower half first), sums in f32.
LYNCEUS_DEVICE void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Four 8 x 8 matrices of 16-bit elements: lane l gives the address of row l % 8 of matrix l / 8
/// (16 aligned bytes of shared memory); r[i]: row lane / 4, columns 2 · (lane % 4) and the next of
/// matrix i.
LYNCEUS_DEVICE void load_matrix(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
/// The same for the transposed matrices.
LYNCEUS_DEVICE void load_matrix_transposed(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

}  // namespace lynceus::simt
