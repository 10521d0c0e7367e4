#!/usr/bin/env bash
# Runs one scenario on a Slurm of its own.
#
#   run.sh LYNCEUS SOURCE_DIRECTORY SCENARIO     SCENARIO: a file of scenarios/ or counted/ without .sh
#   run.sh --keep FOLDER LYNCEUS ...             keeps the logs and runs in FOLDER
#
# Exit codes: 0 passed, 1 failed, 77 skipped. The scenario is a bash script which uses the functions of
# library.sh and calls fail if something is wrong. All processes are in a PID namespace that ends with this
# script, however it ends.
set -u
keep=
if [[ $1 == --keep ]]; then
  keep=$2
  shift 2
fi
lynceus=$(realpath "$1") source=$(realpath "$2") scenario=$3
here=$source/tests/slurm
# shellcheck source-path=SCRIPTDIR source=cluster.sh
. "$here/cluster.sh"

missing=$(cluster_missing)
if [[ -n $missing ]]; then
  echo "not run: $missing"
  exit 77
fi
if [[ -z ${LYNCEUS_SLURM_INSIDE:-} ]] && unshare --pid --fork --mount-proc true 2>/dev/null; then
  export LYNCEUS_SLURM_INSIDE=1
  spaces=(--pid --fork --kill-child --mount-proc)
  # A network of its own: all nodes have one address here, and ranks of another cluster may try a port that a rank of
  # this one has taken meanwhile. Open MPI needs an interface besides the loopback.
  link='ip link add node0 type veth peer name node1 && ip address add 192.0.2.1/24 dev node0 &&
    ip link set lo up && ip link set node0 up && ip link set node1 up'
  if unshare --net sh -c "$link" 2>/dev/null; then spaces+=(--net sh -c "$link"' && exec "$@"' sh); fi
  exec unshare "${spaces[@]}" bash "$0" ${keep:+--keep "$keep"} "$lynceus" "$source" "$scenario"
fi

folder=${keep:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder" || exit 1
# shellcheck source-path=SCRIPTDIR source=library.sh
. "$here/library.sh"
leave() {
  local code=$? begin=$EPOCHREALTIME left
  trap - EXIT
  ((code == 0)) || show_logs
  cluster_down "$folder/slurm"
  left=$(cluster_leftovers)
  echo "down in $(seconds_since "$begin") s"
  if [[ -n $left ]]; then
    echo "left after cluster_down: $left"
    code=1
  fi
  cd / || exit 1
  [[ -n $keep ]] || rm -rf "$folder"
  exit "$code"
}
trap leave EXIT
begin=$EPOCHREALTIME
cluster_up "$folder/slurm" || exit 1
echo "up in $(seconds_since "$begin") s"
prepare_data
# shellcheck source-path=SCRIPTDIR source=rounds.sh
. "$here/rounds.sh"
begin=$EPOCHREALTIME
# shellcheck source=/dev/null
. "$here"/*/"$scenario.sh"
echo "$scenario passed in $(seconds_since "$begin") s"
