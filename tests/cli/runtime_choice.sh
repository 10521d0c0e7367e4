#!/usr/bin/env bash
# runtime_choice.sh MPIRUN LYNCEUS CASE: where `lynceus verify` computes and what it logs, if all ranks have a
# device, none has, or some have. LYNCEUS reads the number of devices from LYNCEUS_STANDIN_DEVICES.
set -uo pipefail

mpirun=$1 lynceus=$2 case=$3
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
export OMPI_MCA_odls_base_sigkill_timeout=0  # mpirun need not wait when a rank has ended

verify() {  # verify FIRST SECOND THIRD OPTION...: each rank's number of devices; the exit code
  local counts=("${@:1:3}") command=()
  shift 3
  for count in "${counts[@]}"; do
    [ ${#command[@]} -gt 0 ] && command+=(:)
    command+=(-n 1 -x "LYNCEUS_STANDIN_DEVICES=$count" "$lynceus" verify "$@" "$case")
  done
  "$mpirun" --oversubscribe "${command[@]}" >"$log" 2>&1
}

expect() {  # expect TIMES PATTERN: how many lines must match
  local found
  found=$(grep -c "$2" "$log")
  [ "$found" -eq "$1" ] && return
  cat "$log"
  echo "expected $1 lines with '$2', found $found"
  failed=1
}

verify 1 1 1 --gemm search || failed=1
expect 0 'no GPU'
expect 1 '3 x host stand-in'

verify 0 0 0 --device auto || failed=1
expect 1 ' I 0  device: no GPU (no CUDA-capable device is detected)'
expect 1 '3 x CPU'

verify 1 0 0 || failed=1
expect 1 ' W 0  .*CPUs, because 2 of 3 have no GPU; the first of them is rank 1: no CUDA-capable device is detected'
expect 1 'no GPU'
expect 1 '3 x CPU'

verify 1 0 1 --device cuda && failed=1
expect 1 '^lynceus: device: cuda was asked for, but no CUDA-capable device is detected'

# Three ranks on one device.
verify 1 1 1 || failed=1
expect 1 ' W 0  transport: GPUs exchange tensors through host memory, which is slow, because ranks share a GPU'
expect 1 'rank 0 on host stand-in (GPU-01[0-9a-f]*), rank 1 on host stand-in .*, rank 2 on'
expect 1 'device code: compute capability 9.0, built for the stand-in'

export LYNCEUS_STANDIN_NO_CODE=1
verify 1 1 1 && failed=1
expect 1 '^lynceus: device: this program has no code for the host stand-in of .*: no kernel image .*built for the stand-in'
unset LYNCEUS_STANDIN_NO_CODE

# A driver that does not work is no reason to compute on CPUs; a machine without one is.
export LYNCEUS_STANDIN_ERROR=802
verify 1 1 1 && failed=1
expect 1 '^lynceus: device: .* has a GPU that CUDA cannot use: system not yet initialized'
if [ ! -e /dev/nvidia0 ]; then
  export LYNCEUS_STANDIN_ERROR=35
  verify 1 1 1 || failed=1
  expect 1 'device: no GPU (CUDA driver version is insufficient'
fi
unset LYNCEUS_STANDIN_ERROR

verify 0 0 0 --device cpu || failed=1
expect 0 'no GPU'
verify 1 1 1 --transport nccl --device cpu && failed=1
expect 1 '^lynceus: NCCL was requested, but these ranks compute on CPUs'
verify 1 1 1 --gemm fastest && failed=1
expect 1 "^lynceus: gemm: expected heuristic or search, found 'fastest'"
exit $failed
