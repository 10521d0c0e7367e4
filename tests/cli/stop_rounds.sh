#!/usr/bin/env bash
# stop_rounds.sh LYNCEUS SOURCE_DIR ROUNDS: stops runs by signals at different moments and checks that no completed
# step is lost. Batch sizes follow from a measured step, so that steps take about the named times on any machine.
#   --ranks 2   INT, TERM, USR1 in steps of about 0.05, 1 and 10 s, during a validation, a save and loading: exit
#               code 75. ROUNDS rounds for each signal and each of the six moments.
#   mpirun      INT and TERM in steps of about 0.05 and 0.5 s: no step is lost, and the checkpoint of the last one is
#               resumed. In steps of about 6 s: the answer names the checkpoint that remains, and it is resumed.
#               3 * ROUNDS rounds for each of the first two, ROUNDS for the long steps, half with each signal. The
#               answer is there within 0.2 s of the signal.
set -u
lynceus=$1 source=$2 rounds=$3
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$lynceus" prepare shapes --seed 5 --count 24 --train-tokenizer 320 --output "$folder/data" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$lynceus" prepare shapes --seed 5 --count 400 --split validation --output "$folder/data" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
failures=0 number=0 late=0
declare -A hits lines

# The steps in a metrics.jsonl, which may not exist yet.
steps_of() {
  if [ -e "$1" ]; then grep -c '"grad_norm"' "$1"; else echo 0; fi
}

# Sets `base`, the command of a run with batches of $1.
set_base() {
  base=("$lynceus" train --config "$source/tests/data/micro.ini" --data.tokenizer "$folder/data/tokenizer.model"
    --data.source "c:1:$folder/data/train-captions.h5" --train.steps 1000000 --train.global_batch_size "$1")
}

# batch_of SECONDS: the batch size of such steps on two ranks, from the mean of 20 steps of 256 samples.
batch_of() {
  awk -v wanted="$1" -v measured="$step_of_256" 'BEGIN { n = int(256 * wanted / measured); print n < 4 ? 4 : n }'
}

fault() {
  failures=$((failures + 1))
  echo "$1"
  tail -5 "$output"
}

# one_round LAUNCHER SIGNAL BATCH STEPS DELAY EXPECTED [OPTION...]: signals after STEPS steps and DELAY seconds.
# EXPECTED: kind of the moment, which the answer should name in most rounds; "long" under mpirun: steps may be lost.
one_round() {
  local launcher=$1 signal=$2 batch=$3 steps=$4 delay=$5 expected=$6
  shift 6
  number=$((number + 1))
  local run=$folder/run-$number
  output=$folder/out-$number
  set_base "$batch"
  local command=("${base[@]}" --run "$run" "$@")
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
  local begin=$EPOCHREALTIME
  kill -s "$signal" $pid
  until grep -aq 'asked to stop' "$output" || ! kill -0 $pid 2>/dev/null; do sleep 0.005; done
  local waited answer
  waited=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
  wait $pid
  local code=$? what="$launcher $signal, $expected, batch $batch, after $delay s"
  answer=$(grep -a -o 'asked to stop.*' "$output" | head -1)
  local done_steps saved
  done_steps=$(steps_of "$run/metrics.jsonl")
  saved=$(find "$run/checkpoints" -path '*/step-*/MANIFEST.json' 2>/dev/null | sed 's|.*/step-0*\([0-9]*\)/.*|\1|' | sort -n | tail -1)
  case $expected in
    loading) [[ $answer == *"while loading"* ]] && hits[$expected]=$((${hits[$expected]:-0} + 1)) ;;
    validation) [[ $answer == *"leaving the validation"* ]] && hits[$expected]=$((${hits[$expected]:-0} + 1)) ;;
    save) [[ $answer == *"after this checkpoint"* ]] && hits[$expected]=$((${hits[$expected]:-0} + 1)) ;;
    *) [[ $answer == *"after this step"* ]] && hits[$expected]=$((${hits[$expected]:-0} + 1)) ;;
  esac
  lines[$expected]=$((${lines[$expected]:-0} + 1))
  [ -n "$answer" ] || fault "$what: no answer"
  awk -v w="$waited" 'BEGIN { exit !(w > 0.2) }' && late=$((late + 1)) && echo "$what: the answer took $waited s"
  if [ "$launcher" = ranks ] && [ $code -ne 75 ]; then fault "$what: exit code $code"; fi
  if [ "$done_steps" -gt 0 ] && [ "${saved:-0}" -ne "$done_steps" ]; then
    # With long steps the answer must have said so: which checkpoint remains, or that there is none, and how many steps
    # were done after it. The step of the answer may have ended since.
    local remains="the checkpoint of step ${saved:-0} remains and the steps after it are lost" lost=$((done_steps - ${saved:-0}))
    [ -n "$saved" ] || remains="no checkpoint exists yet and all steps are lost"
    if [ "$expected" != long ] || [[ $answer != *"$remains, "@($lost|$((lost - 1)))" so far"* ]]; then
      fault "$what: step $done_steps is lost, the checkpoint is '${saved:-}', the answer '$answer'"
    fi
  fi
  if [ "$launcher" = mpirun ] && [ -n "$saved" ]; then # the last committed state resumes
    "${base[@]}" --run "$run" "$@" --take-over --stop-after $((saved + 1)) >"$output" 2>&1 ||
      fault "$what: the run cannot be resumed"
    grep -q "resumed from step $saved," "$output" || fault "$what: not resumed from step $saved"
  fi
  rm -rf "$run" "$output"
}

# The mean of the last 20 of 40 steps.
set_base 256
"${base[@]}" --ranks 2 --run "$folder/measured" --stop-after 40 >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
step_of_256=$(grep -o '"step_seconds": [0-9.e-]*' "$folder/measured/metrics.jsonl" | tail -20 | awk '{ s += $2 } END { print s / NR }')
echo "a step of 256 samples takes $step_of_256 s"
tenth=$(batch_of 0.05) half=$(batch_of 0.5) one=$(batch_of 1) six=$(batch_of 6) ten=$(batch_of 10)
echo "batches for steps of 0.05, 0.5, 1, 6 and 10 s: $tenth, $half, $one, $six, $ten"

held=(--train.validate_every 1 --data.validation "held:$folder/data/validation-Color.h5")
# Random values of 100 million parameters: loading takes seconds.
large=(--model.hidden_size 1024 --model.intermediate_size 4096 --model.num_layers 6 --model.num_heads 16)
for ((round = 0; round < rounds; ++round)); do
  for signal in INT TERM USR1; do
    one_round ranks $signal "$tenth" 2 "0.$((round % 10))3" 0.05s
    one_round ranks $signal "$one" 1 "0.$((round % 10))" 1s
    one_round ranks $signal "$ten" 1 "$((round * 2 % 9)).5" 10s
    one_round ranks $signal 8 1 "0.$((round % 10))1" validation "${held[@]}"
    one_round ranks $signal 8 2 "0.0$((round % 10))" save --checkpoint.every 1
    one_round ranks $signal 8 0 "0.0$((round % 10))" loading "${large[@]}"
  done
  for part in 0 1 2; do
    signal=TERM
    [ $(((round + part) % 2)) -eq 0 ] || signal=INT
    one_round mpirun $signal "$tenth" 2 "0.$((round % 10))$part" mpirun-0.05s
    one_round mpirun $signal "$half" 2 "0.$((round % 10))$part" mpirun-0.5s
  done
  one_round mpirun "$signal" "$six" 3 "1.$((round % 10))" long --checkpoint.every 2
done
for kind in "${!lines[@]}"; do echo "$kind: ${lines[$kind]} rounds, of which ${hits[$kind]:-0} met what they were meant for"; done
[ "${hits[loading]:-0}" -eq "${lines[loading]}" ] || failures=$((failures + 1))
[ "${hits[validation]:-0}" -gt 0 ] && [ "${hits[long]:-0}" -gt 0 ] || failures=$((failures + 1))
echo "$number rounds, $failures faults, $late answers later than 0.2 s"
[ $failures -eq 0 ]
