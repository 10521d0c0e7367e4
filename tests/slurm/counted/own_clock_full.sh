# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Twenty starts of random length without any signal, four in each job. Each ends by its own clock, before Slurm would end
# it.
clock_any() {
  local lengths=()
  for _ in 1 2 3 4; do random 15 40 && lengths+=("$number"); done
  clock_round "$1" 1000000 "${lengths[@]}"
  scancel "$job"
  [[ -z $fault ]]
}
count_rounds own_clock "${ROUNDS:-5}" clock_any
