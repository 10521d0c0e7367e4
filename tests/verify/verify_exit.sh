#!/usr/bin/env bash
# verify_exit.sh MPIRUN LYNCEUS CASE: exit codes of `lynceus verify` on two ranks: 0 on the case, 5 on
# a copy with one weight or one expected gradient changed, 3 where a file is missing or does not fit,
# 2 without cases. One rank prints one message.
set -uo pipefail

mpirun=$1 lynceus=$2 original=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
export OMPI_MCA_odls_base_sigkill_timeout=0  # mpirun need not wait when a rank has ended

expect() {  # expect CODE WHAT [ARGUMENT...]
  local expected=$1 what=$2 code
  shift 2
  "$mpirun" --oversubscribe -n 2 "$lynceus" verify --parallel.tensor 2 "$@" >"$scratch/log" 2>&1
  code=$?
  local messages
  messages=$(grep -c '^lynceus: ' "$scratch/log")
  local once=1
  if [ "$expected" -eq 0 ] || [ "$expected" -eq 5 ]; then once=0; fi
  [ $code -eq "$expected" ] && [ "$messages" -eq "$once" ] && return
  cat "$scratch/log"
  echo "$what: expected exit code $expected, found $code and $messages messages"
  failed=1
}

change() {  # change FILE TENSOR BYTES: overwrites the tensor's first bytes
  local header begin
  header=$(od -An -tu8 -N8 "$1" | tr -d ' ')
  begin=$(head -c $((8 + header)) "$1" | tail -c "$header" |
    grep -o "\"$2\": *{[^}]*" | grep -o '"data_offsets": *\[[0-9]*' | grep -o '[0-9]*$')
  [ -n "$begin" ] || { echo "$1 has no $2"; exit 1; }
  printf '%b' "$3" | dd of="$1" bs=1 seek=$((8 + header + begin)) conv=notrunc status=none
}

fresh() { rm -rf "$scratch/case" && cp -r "$original" "$scratch/case"; }

expect 0 "the unchanged case" "$original"
fresh && change "$scratch/case/weights.safetensors" 'LLM.model.layers.1.mlp.up_proj.weight' '\x00\x3f'
expect 5 "one weight changed" "$scratch/case"
fresh && change "$scratch/case/expected.safetensors" 'grad.bridge.latents' '\x00\x00\x00\x3f'
expect 5 "one expected gradient changed" "$scratch/case"
expect 5 "a changed case after a good one" "$original" "$scratch/case"
fresh && rm "$scratch/case/weights.safetensors"
expect 3 "weights missing" "$scratch/case"
fresh && rm "$scratch/case/expected.safetensors" "$scratch/case/trajectory.json"
expect 3 "nothing to compare" "$scratch/case"
fresh && cp "$scratch/case/final.safetensors" "$scratch/case/expected.safetensors"
expect 3 "an expected file of another kind" "$scratch/case"
expect 2 "a partition of other layers" --parallel.layers 1,9 "$original"
expect 2 "no case"
exit $failed
