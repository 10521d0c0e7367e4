#!/usr/bin/env bash
# Runs the texts of `lynceus submit` without Slurm: srun, mpirun, scontrol and others are functions that write down
# what they are called with. Checks the command line of the ranks for each launcher, the quoting of values, which exit
# codes are put back into the queue, notes of ranks that die, the exclusion of nodes, spare nodes, and the end of the
# job's time.
#
#   text_runs.sh LYNCEUS SOURCE_DIRECTORY
# shellcheck disable=SC1003,SC2016 # other shells expand some texts
set -u
lynceus=$(realpath "$1")
configs=$(realpath "$2")/configs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ln -s "$configs" configs
faults=0
fault() {
  echo "$*"
  faults=$((faults + 1))
}

# What the text finds in place of Slurm. Ranks: print their words, one on a line, with RANK for the text of the command
# around each rank, begin the log of the run, and exit with the first number in the file codes, as a killed process
# would do. Steps on one node say its name, unless it is one of $DEAD.
mkdir bin
cat >bin/srun <<'END'
#!/bin/bash
if [[ $* == *--overlap* ]]; then
  node=$(grep -o -- '--nodelist=[^ ]*' <<<"$*" | cut -d= -f2)
  if [[ $* == *LYNCEUS_JOB_START* && " $DEAD " != *" $node "* ]]; then echo "$node"; fi
  exit
fi
{
  basename "$0"
  for word; do
    if [[ $word == 'run=$1 rank='* ]]; then echo RANK; else printf '%s\n' "$word"; fi
  done
} >words.now
{ cat words.now; env | grep -E '^(LYNCEUS_JOB_END|OMP_NUM|HDF5_|NCCL_|MPICH_)' | sort; } >ranks
if [[ $0 == *srun ]]; then echo "$SLURM_JOB_NODELIST" >pmix_nodes; fi
echo "$LYNCEUS_JOB_START: $(paste -sd' ' words.now)" >>starts
printf '%q ' "$@" >words.quoted
env | grep '^LYNCEUS_JOB_SIGNAL=' >signal
[[ -z ${STOPPED:-} ]] || touch "$RUN/STOPPED"
[[ -z ${WAITS:-} ]] || { touch started; sleep 1; }
[[ -n ${NO_LOG:-} ]] || { mkdir -p "$RUN/log"; date +%s.%N >>"$RUN/log/train.log"; }
read -r code others <codes
[[ -z $others ]] || echo "$others" >codes
exit "$code"
END
ln -s srun bin/mpirun
cat >bin/scontrol <<'END'
#!/bin/bash
case "$1 $2" in
  "show hostnames") tr ',' '\n' <<<"$3" ;;
  "show job") echo "   Requeue=1 Restarts=${RESTARTS:-0} BatchFlag=1" ;;
  show*) ;;
  *) echo "scontrol $*" >>calls ;;
esac
END
cat >bin/squeue <<'END'
#!/bin/bash
case $* in *%T*) echo "${STATE:-RUNNING}" ;; *%e*) echo "$END" ;; *%x*) echo "$EXCLUDED" ;; esac
END
chmod +x bin/*

# start CODES OPTION-OF-SUBMIT...: the exit code of the text in `code`; files ranks, starts, calls, output.
start() {
  echo "$1" >codes
  shift
  rm -f calls ranks starts
  touch calls
  "$lynceus" submit --dry-run --program "bin lynceus" "$@" >text 2>notes || fault "submit $*: $(cat notes)"
  env PATH="$work/bin:$PATH" RUN="$run" DEAD="${dead-}" END="${end:-2030-01-01T00:00:00}" EXCLUDED="${before-}" TZ=UTC \
    SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=2 SLURM_NTASKS_PER_NODE=4 SLURM_CPUS_PER_TASK=16 SLURMD_NODENAME=n1 \
    SLURM_JOB_NODELIST=n1,n2 "${variables[@]}" bash text ${argument:+"$argument"} >output 2>&1
  code=$?
}
variables=(SLURM_GPUS_PER_NODE=4) run=runs/lynceus

expect() { # FILE LINES WHAT
  diff "$1" <(printf '%s\n' "$2") >difference || fault "$3: $(cat difference)"
}
# The command of the ranks up to the environment.
ranks_are() {
  grep -vE '^(LYNCEUS_JOB_END|OMP_NUM|HDF5_|NCCL_|MPICH_)[A-Z_]*=' ranks | paste -sd' ' >words
  expect words "$1" "$2"
}

binding='--kill-on-bad-exit=1 --cpus-per-task=16 --distribution=block:block --cpu-bind=cores --mem-bind=local --gpu-bind=none'
rank='bash -c RANK bash runs/lynceus '
tail="$rank bin lynceus train --config tiny --run runs/lynceus"
program=${tail#"$rank "}
start 0 -- --config tiny
ranks_are "srun $binding --mpi=pmix $tail" "srun"
grep -E '^(LYNCEUS_JOB_END|OMP_NUM|HDF5_|NCCL_|MPICH_)[A-Z_]*=' ranks >words
expect words 'HDF5_USE_FILE_LOCKING=FALSE
LYNCEUS_JOB_END=1893456000
MPICH_OFI_NIC_POLICY=NUMA
NCCL_DEBUG=WARN
NCCL_IB_TIMEOUT=22
OMP_NUM_THREADS=16' "environment"
start 0 --launcher cray -- --config tiny
ranks_are "srun $binding $tail" "cray"
start 0 --launcher mpirun -- --config tiny
ranks_are "mpirun -n 8 --map-by ppr:4:node:PE=16 --bind-to core $tail" "mpirun"
start 0 --container 'an image.sif' -- --config tiny
ranks_are "srun $binding --mpi=pmix $rank apptainer exec --nv --bind $work an image.sif $program" "container"
variables=()
start 0 --container c.sif --gpus-per-node 0 -- --config tiny
ranks_are "srun $binding --mpi=pmix $rank apptainer exec --bind $work c.sif $program" "container without GPUs"
end=NONE start 0 -- --config tiny
grep -q LYNCEUS_JOB_END ranks && fault "no time limit: $(grep LYNCEUS_JOB_END ranks)"
variables=(SLURM_JOB_END_TIME=1234)
start 0 -- --config tiny
grep -qx LYNCEUS_JOB_END=1234 ranks || fault "SLURM_JOB_END_TIME is not used"
variables=()

# Each word arrives as it was given, and nothing is run.
words=("--a=it's" 'b c' '$(touch touched)' '`touch touched`' '*' '"' '\' '' '~' '#x' '!' ';' '&')
run="runs/a 'b' \$c" start 0 --run "runs/a 'b' \$c" -- "${words[@]}"
grep -vE '^(LYNCEUS_JOB_END|OMP_NUM|HDF5_|NCCL_|MPICH_)[A-Z_]*=' ranks | tail -n +13 >words
expect words "$(printf '%s\n' "runs/a 'b' \$c" '' 'bin lynceus' train "${words[@]}" --run "runs/a 'b' \$c")" "quotes"
[[ ! -e touched ]] || fault "quotes: a command in a value was run"

# The network card of a rank.
start 0 --nics m0 m1 -- --config tiny
declare -a "rank_words=($(cat words.quoted))"
rank_words=("${rank_words[@]:7:6}") # bash -c TEXT bash RUN "m0 m1"
found=$(env OMPI_COMM_WORLD_RANK=7 OMPI_COMM_WORLD_LOCAL_RANK=3 "${rank_words[@]}" env | grep UCX)
[[ $found == UCX_NET_DEVICES=m1 ]] || fault "nics: expected m1 for rank 3, found $found"
found=$(env SLURM_PROCID=6 SLURM_LOCALID=2 "${rank_words[@]}" env | grep UCX)
[[ $found == UCX_NET_DEVICES=m0 ]] || fault "nics: expected m0 for rank 2, found $found"
# A note of a rank that a signal ends; none of one that was asked to stop, or that ends by itself.
for ending in 0:'exit 0' 5:'exit 5' 75:'exit 75' 143:'kill -TERM $$' 138:'kill -USR1 $$' 139:'kill -SEGV $$' 137:'kill -KILL $$'; do
  rm -rf runs/lynceus/failures
  env SLURM_PROCID=3 SLURM_LOCALID=1 SLURMD_NODENAME=n8 "${rank_words[@]}" bash -c "${ending#*:}" 2>/dev/null
  code=$? noted=$(cat runs/lynceus/failures/rank-3.json 2>/dev/null) expected=
  if [[ ${ending%%:*} =~ 13[79] ]]; then
    expected="{\"rank\":3,\"node\":\"n8\",\"cause\":\"ended by signal $((${ending%%:*} - 128))\"}"
  fi
  [[ $code == "${ending%%:*}" && $noted == "$expected" ]] || fault "$ending: exit code $code, note: $noted"
done
rm -rf runs/lynceus/failures

# Which ends put the job back into the queue.
for wanted in 0 1 2 3 4 5 93 127; do
  start $wanted -- --config tiny
  [[ $code == "$wanted" && ! -s calls ]] || fault "exit code $wanted: exit code $code, $(cat calls)"
done
for wanted in 75 124 134 137 139 143; do
  start $wanted -- --config tiny
  [[ $code == "$wanted" && $(cat calls) == "scontrol requeue 7" ]] || fault "exit code $wanted: exit code $code, $(cat calls)"
done
STATE=COMPLETING start 75 -- --config tiny
[[ $code == 75 && ! -s calls ]] || fault "a job that was cancelled: exit code $code, $(cat calls)"
STATE=COMPLETING end=2020-01-01T00:00:00 start 75 -- --config tiny
[[ $(cat calls) == "scontrol requeue 7" ]] || fault "at the time limit: $(cat calls)"
RESTARTS=1 start 139 -- --config tiny
[[ $code == 139 && ! -s calls ]] || fault "a text that has survived its job: exit code $code, $(cat calls)"
STOPPED=1 start 75 -- --config tiny
[[ $code == 75 && ! -s calls && $(cat output) == *"stopped by runs/lynceus/STOP: the job ends"* ]] ||
  fault "the file STOP: exit code $code, $(cat calls output)"
start 75 -- --config tiny
[[ $(cat calls) == "scontrol requeue 7" ]] || fault "STOPPED of the start before: $(cat calls)"
# At the time limit Slurm sends TERM to ranks that have not ended. A person's comes before it.
limited() { # END
  rm -f started
  (until [[ -e started ]]; do sleep 0.05; done && pkill -TERM -f '^bash text$' --parent $$) &
  WAITS=1 STATE=COMPLETING end=$1 start 137 -- --config tiny
  wait
}
limited 2020-01-01T00:00:00
[[ $(cat calls) == "scontrol requeue 7" && $(cat output) == *"the time limit has passed before the ranks have saved"* ]] ||
  fault "killed by the time limit: exit code $code, $(cat calls output)"
limited 2030-01-01T00:00:00
[[ ! -s calls && $(cat output) != *"time limit"* ]] || fault "TERM of a person: $(cat calls output)"
start 0 --signal-seconds 90 -- --config tiny
[[ $(cat signal) == LYNCEUS_JOB_SIGNAL=90 ]] || fault "signal: $(cat signal)"
NO_LOG=1 start 139 -- --config tiny
[[ $code == 139 && ! -s calls && $(wc -l <starts) == 3 ]] || fault "dead before the log: $(cat calls starts)"
variables=(SLURM_ARRAY_JOB_ID=5 SLURM_ARRAY_TASK_ID=1)
run=runs/c/mid start 75 --run runs/c --array tiny,mid
[[ $(cat calls) == "scontrol requeue 5_1" ]] || fault "array: $(cat calls)"
ranks_are "srun $binding --mpi=pmix ${rank/lynceus/c/mid} bin lynceus train --config pretrain-224 --config mid --run runs/c/mid" "array"
variables=()

# A module that cannot be loaded ends the job.
printf '#!/bin/bash\n[[ $2 != wrong ]]\n' >bin/module
chmod +x bin/module
start 0 --modules right --modules wrong -- --config tiny
[[ $code == 2 && ! -e ranks && $(cat output) == *"module load wrong failed (exit code 1)"* ]] ||
  fault "a module that fails: exit code $code, $(cat output)"
start 0 --modules right -- --config tiny
[[ $code == 0 && -e ranks ]] || fault "a module: exit code $code, $(cat output)"

# Nodes that the trainer excludes: after the end, and once at the start.
mkdir -p runs/lynceus
echo n9 >runs/lynceus/excluded_nodes
before=n5,n9 start 137 -- --config tiny
expect calls "scontrol requeue 7
scontrol update JobId=7 ExcNodeList=n5,n9" "excluded nodes"
echo n2,n9 >runs/lynceus/excluded_nodes
start 0 -- --config tiny
expect calls "scontrol requeue 7
scontrol update JobId=7 ExcNodeList=n2,n9" "an excluded node at the start"
[[ $code == 75 && ! -e ranks ]] || fault "an excluded node at the start: exit code $code"
start 0 -- --config tiny
[[ $code == 0 && -e ranks && ! -s calls ]] || fault "an excluded node at the second start: exit code $code, $(cat calls)"
rm -f runs/lynceus/excluded_nodes

# A second note of a node excludes it, before the trainer counts it.
failed() { # NODE
  mkdir -p runs/lynceus/failures
  printf '{"rank":1,"node":"%s","cause":"broken"}\n' "$1" >runs/lynceus/failures/rank-1.json
}
forget() { rm -rf runs/lynceus/failures runs/lynceus/incarnations.jsonl runs/lynceus/excluded_nodes*; }
printf '%s\n' '{"event":"begin","nodes":["n1","n2"]}' \
  '{"event":"end","failures":[{"rank":1,"node":"n2","cause":"broken"}]}' >runs/lynceus/incarnations.jsonl
failed n2
start 137 -- --config tiny
grep -q ExcNodeList calls && fault "the end of this start counted as an earlier one: $(cat calls)"
echo '{"event":"begin","nodes":["n1","n2"]}' >>runs/lynceus/incarnations.jsonl
echo n3 >runs/lynceus/excluded_nodes
start 137 -- --config tiny
expect calls "scontrol requeue 7
scontrol update JobId=7 ExcNodeList=n2,n3" "a second note"
forget

# Spare nodes: the ranks run on two of three nodes, and start again on those that are left.
spare=(--spare-nodes 1 -- --config tiny)
variables=(SLURM_JOB_NUM_NODES=3 "SLURM_JOB_NODELIST=n1,n2,n3")
on() { echo "$1: srun $binding --mpi=pmix --nodes=2 --ntasks=8 --nodelist=$2 $tail"; }
dead=n2 start "137 0" "${spare[@]}"
expect starts "$(on 0 n1,n2)
$(on 1 n1,n3)" "a lost node"
[[ $(cat pmix_nodes) == n1,n3 ]] || fault "PMIx was given the nodes $(cat pmix_nodes)"
[[ $code == 0 && ! -s calls ]] || fault "a lost node: exit code $code, $(cat calls)"
dead=n2 start "205 0" --launcher mpirun "${spare[@]}"
expect starts "0: mpirun -n 8 --map-by ppr:4:node:PE=16 --bind-to core --host n1:4,n2:4 $tail
1: mpirun -n 8 --map-by ppr:4:node:PE=16 --bind-to core --host n1:4,n3:4 $tail" "a lost node, mpirun"
dead=n2 start "137 0" --launcher cray "${spare[@]}"
[[ $(tail -n 1 starts) == "$(on 1 n1,n3 | sed 's/ --mpi=pmix//')" ]] || fault "a lost node, cray: $(cat starts)"
start "139 124 93" "${spare[@]}"
expect starts "$(for i in 0 1 2; do on $i n1,n2; done)" "no lost node"
[[ $code == 93 && ! -s calls ]] || fault "no lost node: exit code $code, $(cat calls)"
dead="n2 n3" start "137 0" "${spare[@]}"
expect starts "$(on 0 n1,n2)" "too few nodes"
[[ $code == 137 && $(cat calls) == "scontrol requeue 7" ]] || fault "too few nodes: exit code $code, $(cat calls)"
start "75 0" "${spare[@]}"
expect starts "$(on 0 n1,n2)" "a stop on request"
[[ $code == 75 && $(cat calls) == "scontrol requeue 7" ]] || fault "a stop: exit code $code, $(cat calls)"
STATE=COMPLETING start "137 0" "${spare[@]}"
[[ $code == 137 && ! -s calls ]] || fault "spare nodes, a job that was cancelled: exit code $code, $(cat calls)"
echo n1 >runs/lynceus/excluded_nodes
start 0 "${spare[@]}"
expect starts "$(on 0 n2,n3)" "a spare node for an excluded one"
forget
failed n1
start 0 "${spare[@]}"
expect starts "$(on 0 n2,n3)" "a spare node for one with a note"
echo n3 >runs/lynceus/excluded_nodes
start 0 "${spare[@]}"
expect starts "$(on 0 n2,n1)" "one with a note rather than an excluded one"
forget
variables=()

argument=1 start 0 --stage tiny,configs/model/mid.ini -- --train.steps 3
ranks_are "srun $binding --mpi=pmix ${rank/%lynceus /lynceus/mid } bin lynceus train --train.steps 3 --config configs/model/mid.ini --init runs/lynceus/tiny --run runs/lynceus/mid" "stage"
start 0 --nodes 2,4 -- --config tiny
ranks_are "srun $binding --mpi=pmix ${rank/%lynceus /lynceus/nodes-2 } bin lynceus train --config tiny --stop-after 50 --run runs/lynceus/nodes-2" "sweep"

# What `lynceus train` would refuse is refused before it is queued.
printf '#!/bin/bash\necho 17\n' >bin/sbatch
chmod +x bin/sbatch
refused() { # TEXT OPTION...
  local text=$1
  shift
  PATH="$work/bin:$PATH" "$lynceus" submit --run runs/refused "$@" >output 2>&1
  code=$?
  [[ $code == 2 && $(cat output) == *"$text"* && ! -e runs/refused ]] || fault "submit $*: exit code $code, $(cat output)"
}
refused "no_such_key" -- --config tiny --train.no_such_key 1
refused "no-such-config" -- --config no-such-config
refused "train.steps" -- --config tiny --train.steps 0
refused "--nodes and --ranks-per-node before --" -- --config tiny --ranks 4
refused "--nodes and --ranks-per-node before --" -- --config tiny --ranks=4
refused "expected a model" -- --train.steps 5
refused "prints a page" -- --config tiny --help
refused "no_such.point" -- --config tiny --fault no_such.point:kill
printf '[train]\nno_such_key = 1\n' >wrong.ini
refused "no_such_key" --stage tiny,wrong.ini -- --train.steps 5
refused "no_such_key" --array tiny,wrong.ini -- --train.steps 5
PATH="$work/bin:$PATH" "$lynceus" submit --run runs/right -- --config tiny --fault step.before_reduce:kill >output 2>&1
[[ $? == 0 && $(cat output) == "job 17: runs/right" && $(cat runs/right/job.ids) == 17 ]] || fault "submit: $(cat output)"
"$lynceus" submit --dry-run -- --config tiny --train.no_such_key 1 2>notes >text || fault "dry run: $(cat notes)"
[[ $(cat notes) == *"warning: submit: "*no_such_key* ]] || fault "dry run: $(cat notes)"

OMPI_COMM_WORLD_SIZE=2 "$lynceus" submit --dry-run >output 2>&1
[[ $? == 2 && $(cat output) == *"expected one process"* ]] || fault "submit by mpirun: $(cat output)"

echo "$faults faults"
[[ $faults == 0 ]]
