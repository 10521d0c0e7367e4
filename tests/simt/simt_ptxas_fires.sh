#!/usr/bin/env bash
# Proves that simt_ptxas.sh finds an error, a warning and a spill, and accepts a clean source.
#
#   simt_ptxas_fires.sh NVCC
set -euo pipefail
check="$(dirname "${BASH_SOURCE[0]}")/simt_ptxas.sh"
tree=$(mktemp -d)
trap 'rm -rf "${tree}"' EXIT
if ! command -v "$1" >/dev/null; then
  echo "not run: no nvcc"
  exit 77
fi

mkdir -p "${tree}/kernels/cuda"
plant() { printf '%s\n' "$1" >"${tree}/kernels/cuda/a.cu"; }

plant '__global__ void error_of_warning(float* x) { *x += 1; }'
if ! bash "${check}" "${tree}" "$1"; then
  echo "a clean source was refused"
  exit 1
fi

missed=0
must_fire() {
  plant "$2"
  if bash "${check}" "${tree}" "$1" >"${tree}/out" || ! grep -qE "$3" "${tree}/out"; then
    echo "not found: $2"
    cat "${tree}/out"
    missed=1
  fi
}
must_fire "$1" '__global__ void kernel(float* x) { *x += y; }' 'error: identifier "y" is undefined'
must_fire "$1" '__global__ void kernel(float* x) { int unused; *x += 1; }' 'warning .*never referenced'
# 64 live values, 32 registers.
must_fire "$1" '__global__ void __launch_bounds__(1024, 2) kernel(float* x) {
  float y[64];
  for (int i = 0; i < 64; ++i) y[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
  for (int i = 0; i < 64; ++i) x[i * 1024 + threadIdx.x] = y[63 - i] * y[(7 * i) % 64];
}' 'kernel.* bytes spill stores'
must_fire "$1" 'int host_only() { return 0; }' 'reported no function'

if bash "${check}" "${tree}" "${tree}/nvcc" >/dev/null; then
  echo "not found: no nvcc"
  missed=1
elif (($(bash "${check}" "${tree}" "${tree}/nvcc" >/dev/null; echo $?) != 77)); then
  echo "without nvcc: expected exit 77"
  missed=1
fi
((missed == 0)) && echo "every fault is found"
