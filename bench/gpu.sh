#!/usr/bin/env bash
# Checks Lynceus on a machine with a GPU, from an unpacked bundle (tools/bundle.sh): every kernel test
# on the device, the reference cases in f32 and bf16, several ranks that share the GPU. Writes gpu.json
# (device, driver, commit, each check with its seconds) and a log a check.
#
#   ./gpu.sh [OUTPUT FOLDER]         exit 1: a check failed; 77: no device
set -uo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=$(mkdir -p "${1:-${here}/results}" && cd "${1:-${here}/results}" && pwd)
cd "${here}" || exit 1

if ! device=$(nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,memory.total --format=csv,noheader); then
  echo "gpu: nvidia-smi names no device"
  exit 77
fi
device=${device%%$'\n'*}
export LYNCEUS_TEST_DEVICE=cuda

checks=() failed=0
# check NAME SECONDS COMMAND...
check() {
  local name=$1 limit=$2 begin end code
  shift 2
  begin=$(date +%s.%N)
  timeout "${limit}" ./run "$@" >"${output}/${name}.log" 2>&1
  code=$?
  end=$(date +%s.%N)
  ((code == 0)) || failed=$((failed + 1))
  printf '%-40s exit %3d  %6.1f s\n' "${name}" "${code}" \
    "$(awk "BEGIN {print ${end} - ${begin}}")"
  checks+=("$(printf '{"check": "%s", "exit": %d, "seconds": %s}' "${name}" "${code}" \
    "$(awk "BEGIN {printf \"%.2f\", ${end} - ${begin}}")")")
}

for test in bin/kernels_*_test; do
  grep -q LYNCEUS_TEST_DEVICE "${test}" && check "$(basename "${test}")" 60 "$(basename "${test}")"
done
cases=(golden/*/)
check verify.f32 120 lynceus verify --device cuda "${cases[@]}"
check verify.bf16 120 lynceus verify --device cuda --precision bf16 "${cases[@]}"
check verify.f32.staged.2x2x1 120 mpirun -n 4 lynceus verify --device cuda --transport staged \
  --parallel.tensor 2 --parallel.pipeline 2 golden/prefix_image golden/turns
check verify.f32.staged.2x2x2 120 mpirun -n 8 lynceus verify --device cuda --transport staged \
  --parallel.tensor 2 --parallel.pipeline 2 golden/prefix_video

{
  printf '{"device": "%s", "commit": "%s", "failed": %d,\n "checks": [\n  ' "${device}" \
    "$(cat commit)" "${failed}"
  for i in "${!checks[@]}"; do
    ((i == 0)) || printf ',\n  '
    printf '%s' "${checks[i]}"
  done
  printf ']}\n'
} >"${output}/gpu.json"
echo "gpu: ${#checks[@]} checks, ${failed} failed: ${output}/gpu.json"
((failed == 0))
