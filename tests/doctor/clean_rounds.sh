#!/usr/bin/env bash
# clean_rounds.sh LYNCEUS SOURCE_DIR RUNS: `lynceus doctor` finds nothing on this machine, on one rank and on two.
# With more than ten runs every second one is not --quick. Prints a line for each; a run that found something is
# shown in full.
set -u
lynceus=$1 source=$2 runs=$3
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
unset OMP_NUM_THREADS
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

failures=0
for ((i = 0; i < runs; ++i)); do
  quick=--quick
  ((runs > 10 && i % 2 == 1)) && quick=
  ranks=$((1 + i % 2))
  [ -z "$quick" ] && ranks=$((1 + i / 2 % 2))
  begin=$(date +%s.%N)
  "$lynceus" doctor --ranks $ranks $quick --config "$source/tests/data/micro.ini" --run "$folder/run" \
    >"$folder/out" 2>"$folder/err"
  code=$?
  seconds=$(awk "BEGIN { printf \"%.1f\", $(date +%s.%N) - $begin }")
  echo "run $((i + 1)), $ranks ranks${quick:+, quick}: exit code $code, $seconds s"
  if [ $code -ne 0 ]; then
    failures=$((failures + 1))
    cat "$folder/out" "$folder/err"
  fi
done
echo "$runs runs, $failures with a finding"
[ $failures -eq 0 ]
