#!/usr/bin/env bash
# Proves that simt_lint.sh accepts a clean tree and finds each way around simt.h.
set -euo pipefail
lint="$(dirname "${BASH_SOURCE[0]}")/simt_lint.sh"
tree=$(mktemp -d)
trap 'rm -rf "${tree}"' EXIT

mkdir -p "${tree}/kernels/cuda/hardware"
plant() { printf '%s\n' "$2" >"${tree}/kernels/cuda/$1"; }

plant hardware/simt.h '__shared__ float memory[4]; __syncthreads(); asm volatile("");'
plant clean.cu '__global__ void __launch_bounds__(128) add(const __nv_bfloat16* a) {  // __ldg'
plant clean.h 'return __floats2bfloat162_rn(a, __bfloat162float(b)); int phasm = basm << 3;'
if ! bash "${lint}" "${tree}"; then
  echo "a clean tree was refused"
  exit 1
fi

missed=0
must_fire() {
  for file in bad.cu bad.h; do
    plant "${file}" "$1"
    if bash "${lint}" "${tree}" >"${tree}/out" ||
      ! grep -qF "kernels/cuda/${file}:1: $2 " "${tree}/out"; then
      echo "not found in ${file}: $1"
      missed=1
    fi
    rm "${tree}/kernels/cuda/${file}"
  done
}
must_fire 'add<<<1, 32>>>(x);' '<<<'
must_fire '  add<float> <<<grid, block>>>(x);' '<<<'
must_fire '__shared__ float memory[4];' __shared__
must_fire 'extern __shared__ float memory[];' __shared__
must_fire '__syncthreads();' __syncthreads
must_fire 'if (x) __syncwarp(mask);' __syncwarp
must_fire 'x+=__shfl_xor_sync(mask, x, 1);' __shfl_xor_sync
must_fire '__bfloat162float(__shfl_sync(mask, x, 1));' __shfl_sync
must_fire 'const unsigned votes = __ballot_sync(mask, x);' __ballot_sync
must_fire 'asm volatile("bar.sync 0;");' asm
must_fire 'asm("bar.sync 0;");' asm
must_fire '__asm__("");' __asm__
must_fire 'volatile float* x;' volatile
must_fire 'atomicAdd(&x, 1.0f);' atomicAdd
must_fire '::atomicCAS(&x, 1, 2);' atomicCAS
must_fire 'y = __ldg(&x);' __ldg
must_fire 'y = __fdividef(x, 2.0f);' __fdividef
must_fire '__threadfence();' __threadfence
must_fire 'cooperative_groups::sync(block);' cooperative_groups
must_fire 'nvcuda::wmma::fill_fragment(c, 0.0f);' nvcuda
must_fire '__device__ float helper();' __device__

if bash "${lint}" "${tree}/kernels" >/dev/null; then
  echo "not found: a tree without kernels/cuda"
  missed=1
fi
((missed == 0)) && echo "every way around simt.h is found"
