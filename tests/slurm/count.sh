#!/usr/bin/env bash
# Runs the counted scenarios and writes their figures to tests/slurm/results/NAME.jsonl: a line about the machine, one for
# each round, and one for all rounds.
#
#   count.sh LYNCEUS SOURCE_DIRECTORY [NAME...]     NAME: a file of counted/ without .sh; default: all
#
# SEED (1) gives the random numbers, ROUNDS another number of rounds.
set -u
lynceus=$1
cd "$2" || exit 1
shift 2
mkdir -p tests/slurm/results
if (($# == 0)); then mapfile -t scenarios < <(basename -s .sh tests/slurm/counted/*.sh); else scenarios=("$@"); fi
failed=0
for scenario in "${scenarios[@]}"; do
  results=tests/slurm/results/${scenario%_full}.jsonl
  printf '{"date": "%s", "commit": "%s", "slurm": "%s", "cpu": "%s", "cores": %d, "load": %.1f}\n' "$(date +%F)" \
    "$(git describe --always --dirty 2>/dev/null)" "$(slurmctld -V | cut -d' ' -f2)" \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" >"$results"
  bash tests/slurm/run.sh "$lynceus" . "$scenario" > >(tee >(grep '^{' >>"$results")) || failed=1
done
exit $failed
