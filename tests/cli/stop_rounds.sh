#!/usr/bin/env bash
# stop_rounds.sh LYNCEUS SOURCE_DIR ROUNDS: stops runs by signals at different moments and checks that no
# completed step is lost.
#   --ranks 2   INT, TERM, USR1 in steps of about 0.05, 1 and 10 s, during validation, saves and loading: exit
#               code 75. ROUNDS rounds for each signal and each of the six moments.
#   mpirun      INT and TERM in steps of about 0.05 and 0.5 s; the answer is there within 0.2 s. ROUNDS rounds.
set -u
lynceus=$1 source=$2 rounds=$3
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$lynceus" prepare shapes --seed 5 --count 24 --train-tokenizer 320 --output "$folder/data" >"$folder/log" 2>&1 || exit 1
"$lynceus" prepare shapes --seed 5 --count 400 --split validation --output "$folder/data" >"$folder/log" 2>&1 || exit 1
failures=0 number=0

# The steps in a metrics.jsonl, which may not exist yet.
steps_of() {
  if [ -e "$1" ]; then grep -c '"grad_norm"' "$1"; else echo 0; fi
}

# one_round LAUNCHER SIGNAL BATCH STEPS DELAY [OPTION...]: signals after STEPS steps and DELAY seconds.
one_round() {
  local launcher=$1 signal=$2 batch=$3 steps=$4 delay=$5
  shift 5
  number=$((number + 1))
  local run=$folder/run-$number output=$folder/out-$number
  local command=("$lynceus" train --config "$source/tests/data/micro.ini" --run "$run"
    --data.tokenizer "$folder/data/tokenizer.model" --data.source "c:1:$folder/data/train-captions.h5"
    --train.steps 1000000 --train.global_batch_size "$batch" "$@")
  if [ "$launcher" = ranks ]; then
    command+=(--ranks 2)
  else
    command=(mpirun --oversubscribe -n 2 "${command[@]}")
  fi
  "${command[@]}" >"$output" 2>&1 &
  local pid=$!
  while kill -0 $pid 2>/dev/null && [ "$(steps_of "$run/metrics.jsonl")" -lt "$steps" ]; do sleep 0.02; done
  # Before this line the command has done nothing, and a signal just ends it.
  until grep -aqs 'computing on' "$output" || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
  sleep "$delay"
  kill -s "$signal" $pid
  local answered=no
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    grep -aq 'asked to stop' "$output" && answered=yes && break
    sleep 0.02
  done
  wait $pid
  local code=$? done_steps fault=""
  done_steps=$(steps_of "$run/metrics.jsonl")
  [ "$launcher" = mpirun ] || [ $code -eq 75 ] || fault="exit code $code"
  [ "$done_steps" -eq 0 ] || [ -e "$run/checkpoints/$(printf step-%08d "$done_steps")/MANIFEST.json" ] ||
    fault="$fault, step $done_steps is lost"
  [ $answered = yes ] || [ "$steps" -eq 0 ] || fault="$fault, no answer within 0.2 s"
  if [ -n "$fault" ]; then
    failures=$((failures + 1))
    echo "$launcher $signal, batch $batch, after $delay s $*: $fault"
    tail -5 "$output"
  fi
  rm -rf "$run" "$output"
}

held=(--train.validate_every 1 --train.validation_samples 400 --data.validation "held:$folder/data/validation-Color.h5")
for ((round = 0; round < rounds; ++round)); do
  for signal in INT TERM USR1; do
    one_round ranks $signal 64 2 "0.$((round % 10))3"
    one_round ranks $signal 1500 1 "0.$((round % 10))"
    one_round ranks $signal 15000 1 "$((round % 9))"
    one_round ranks $signal 8 2 "0.$((round % 10))1" "${held[@]}"
    one_round ranks $signal 8 2 "0.0$((round % 10))" --checkpoint.every 1
    one_round ranks $signal 8 0 "0.$((round % 10))"
  done
  one_round mpirun TERM 64 2 "0.$((round % 10))3"
  one_round mpirun INT 700 2 "0.$((round % 10))3"
done
echo "$number rounds, $failures faults"
[ $failures -eq 0 ]
