#!/usr/bin/env bash
# verify_grids.sh MPIRUN LYNCEUS "T P D" REFUSED -- OPTION... -- CASE...
# Runs `lynceus verify` on a grid of T x P x D ranks over all cases. A case whose heads do not divide must be
# refused with exit code 2 and one sentence that names it and the number to change. Refused cases are
# removed from the list, and must be exactly REFUSED (names separated by spaces). Exit code 77: no case.
set -uo pipefail

mpirun=$1 lynceus=$2 refused_expected=$4
read -r tensor pipeline data <<<"$3"
shift 5
options=()
while [ "$1" != -- ]; do
  options+=("$1")
  shift
done
shift
cases=()
for directory in "$@"; do
  [ -e "$directory/config.json" ] && cases+=("$directory")
done
if [ ${#cases[@]} -eq 0 ]; then
  echo "no cases at $*"
  exit 77
fi

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
refused=()
while [ ${#cases[@]} -gt 0 ]; do
  "$mpirun" --oversubscribe -n $((tensor * pipeline * data)) "$lynceus" verify \
    --parallel.tensor "$tensor" --parallel.pipeline "$pipeline" --parallel.data "$data" \
    "${options[@]}" "${cases[@]}" 2>"$errors"
  code=$?
  [ $code -eq 0 ] && break
  sentence=$(grep -m1 '^lynceus: ' "$errors")
  if [ $code -ne 2 ] || [[ ! $sentence =~ change\ one\ of\ the\ two|lower\ parallel ]]; then
    cat "$errors"
    echo "exit code $code on grid $tensor x $pipeline x $data"
    exit 1
  fi
  if [ "$(grep -c '^lynceus: ' "$errors")" -ne 1 ]; then
    cat "$errors"
    echo "more than one rank spoke"
    exit 1
  fi
  echo "refused: $sentence"
  rest=()
  found=
  for directory in "${cases[@]}"; do
    if [ -n "$found" ]; then
      rest+=("$directory")
    elif [[ $sentence == *"$directory: "* ]]; then
      found=$directory
    fi
  done
  if [ -z "$found" ]; then
    echo "the sentence names no case"
    exit 1
  fi
  refused+=("$(basename "$found")")
  cases=("${rest[@]}")
done
if [ "${refused[*]}" != "$refused_expected" ]; then
  echo "refused: '${refused[*]}', expected '$refused_expected'"
  exit 1
fi
