#!/usr/bin/env bash
# watchdog_device.sh MPIRUN LYNCEUS ROOT TRANSPORT: training on three devices, of which one hangs, is stopped or
# calls something else. The watchdog names its rank and ends the job with exit code 124; a clean run ends with 0.
# LYNCEUS runs on the stand-in for devices.
set -uo pipefail

mpirun=$1 lynceus=$2 root=$3 transport=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0 runs=0
export LYNCEUS_STANDIN_DEVICES=3 OMPI_MCA_odls_base_sigkill_timeout=1

"$lynceus" prepare shapes --seed 5 --count 24 --output "$folder/data" >"$folder/log" || exit 1

train() {  # train EXIT-CODE FAULT PATTERN...: a run with the fault, and lines of its output
  local code=$1 fault=$2
  shift 2
  runs=$((runs + 1))
  LYNCEUS_FAULT=$fault "$mpirun" --oversubscribe -n 3 "$lynceus" train --config "$root/tests/data/micro.ini" \
    --run "$folder/run-$runs" --train.steps 6 --train.global_batch_size 3 --train.digest_every 2 \
    --data.tokenizer "$root/tests/data/tokenizer/test_model.model" --parallel.data 3 \
    --data.source "captions:1:$folder/data/train-captions.h5" --device cuda --transport "$transport" \
    --watchdog.step 8 --watchdog.data 8 >"$folder/log" 2>&1
  local found=$?
  [ $found -eq "$code" ] || { cat "$folder/log"; echo "$fault: expected exit code $code, found $found"; failed=1; }
  for pattern in "$@"; do
    grep -q "$pattern" "$folder/log" && continue
    cat "$folder/log"
    echo "$fault: expected a line with '$pattern'"
    failed=1
  done
}

train 0 watch.step@0#99=slow # a step that it does not reach
train 124 step.before_reduce@1#3=hang 'watchdog: no progress for .* in section step, step 3: rank 1 (.*) hangs: '
train 124 watch.step@2#3=pause ': rank 2 (.*) does not answer: '
train 124 watch.another_call@1#3=do ': rank 1 (.*) called barrier of 0 bytes\|the ranks wait for each other: rank 1 ('
train 5 watch.flip_bit@1#4=do 'step 4: trained parameters differ .* on rank 1 (rank 1: '
exit $failed
