#!/usr/bin/env bash
# job_end_rounds.sh LYNCEUS SOURCE_DIR RUNS [SEED]: runs with random ends of their job and no signal. Each must
# end before its job does, with exit code 75, lose no completed step, and leave at most the time of a save and a
# step, and 5 s, unused. Half of them continue the run before. Prints a line for each.
set -u
lynceus=$1 source=$2 runs=$3 seed=${4:-1}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
RANDOM=$seed
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$lynceus" prepare shapes --seed 5 --count 24 --train-tokenizer 320 --output "$folder/data" >"$folder/log" 2>&1 || exit 1
"$lynceus" prepare shapes --seed 5 --count 400 --split validation --output "$folder/data" >"$folder/log" 2>&1 || exit 1
held=(--train.validate_every 1 --train.validation_samples 400 --data.validation "held:$folder/data/validation-Color.h5")

# number KEY: the last value of a key of incarnations.jsonl.
number() { grep -o "\"$1\":[0-9.]*" "$run/incarnations.jsonl" | tail -1 | cut -d: -f2; }
# holds FORMULA: whether it is true.
holds() { awk "BEGIN { exit !($1) }"; }

failures=0
for ((i = 0; i < runs; ++i)); do
  run=$folder/run-$((i / 2))
  # Both starts of a run have the same batch.
  if ((i % 2 == 0)); then
    batches=(8 100 600)
    batch=${batches[RANDOM % 3]}
  fi
  limit=$((80 + RANDOM % 80)) # tenths of a second
  options=()
  ((RANDOM % 3 == 0)) && options+=("${held[@]}")
  ((RANDOM % 3 == 0)) && options+=(--checkpoint.every 5)
  ends=$(awk "BEGIN { printf \"%.1f\", $(date +%s.%N) + $limit / 10 }")
  LYNCEUS_JOB_END=$ends "$lynceus" train --ranks 2 --config "$source/tests/data/micro.ini" --run "$run" \
    --data.tokenizer "$folder/data/tokenizer.model" --data.source "c:1:$folder/data/train-captions.h5" \
    --train.steps 1000000 --train.global_batch_size "$batch" "${options[@]}" >"$folder/out" 2>&1
  code=$? left=$(awk "BEGIN { print $ends - $(date +%s.%N) }") fault=""
  step=$(number largest_step) save=$(number largest_save)
  last=$(grep -c '"grad_norm"' "$run/metrics.jsonl" 2>/dev/null)
  [ $code -eq 75 ] || fault="exit code $code"
  holds "$left > 0" || fault="$fault, cut off"
  holds "$left <= $step + $save + 5" || fault="$fault, stopped too early"
  [ "${last:-0}" -gt 0 ] || fault="$fault, no step was done"
  [ -e "$run/checkpoints/$(printf step-%08d "${last:-0}")/MANIFEST.json" ] || fault="$fault, step $last is lost"
  printf 'job of %s.%s s, batch %s: step %s, %s s left; step %s s, save %s s%s\n' $((limit / 10)) $((limit % 10)) \
    "$batch" "${last:-0}" "$left" "$step" "$save" "${fault:+: $fault}"
  if [ -n "$fault" ]; then
    failures=$((failures + 1))
    tail -8 "$folder/out"
  fi
done
echo "$runs runs, $failures faults"
[ $failures -eq 0 ]
