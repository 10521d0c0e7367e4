# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# What scenarios use besides cluster.sh. The working directory is a fresh folder with data/ and site.ini, and a
# cluster is up: nodes n1 to n4, each with 2 cores. `lynceus` and `source` are set (run.sh).

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
# All nodes share the cores of one machine, and so wait for each other without computing.
export OMPI_MCA_mpi_yield_when_idle=1
# Of this cluster alone: others have nodes and processes of the same names.
export OMPI_MCA_orte_tmpdir_base=$PWD

fail() {
  echo "FAILED: $*"
  exit 1
}

seconds_since() { awk -v begin="$1" -v end="$EPOCHREALTIME" 'BEGIN {printf "%.1f", end - begin}'; }

show_logs() {
  local log
  for log in runs/*/slurm-*.out; do
    [[ -e $log ]] || continue
    echo "---- $log"
    tail -n 60 "$log"
  done
  tail -n 30 slurm/log/slurmctld.log
  squeue 2>/dev/null
}

# data/ (24 samples, a tokenizer), `training` (options of train for the smallest model) and site.ini (options of
# submit for this cluster).
prepare_data() {
  "$lynceus" prepare shapes --seed 5 --count 24 --train-tokenizer 320 --output data >prepare.log 2>&1 ||
    fail "prepare: $(cat prepare.log)"
  training=(--config "$source/tests/data/micro.ini" --data.tokenizer data/tokenizer.model
    --data.source captions:1:data/train-captions.h5)
  cat >site.ini <<END
nodes = 2
ranks-per-node = 2
cores-per-rank = 1
gpus-per-node = 0
time = 10
program = $lynceus
END
}

# submit [OPTION...] -- [TRAIN-OPTION...]: sets `job` to the id of the last job, `jobs` to all.
submit() {
  "$lynceus" submit --config site.ini "$@" >submitted 2>&1 || fail "submit: $(cat submitted)"
  mapfile -t jobs < <(sed -n 's/^job \([0-9]*\): .*/\1/p' submitted)
  ((${#jobs[@]} > 0)) || fail "submit printed no job: $(cat submitted)"
  job=${jobs[-1]}
}

# job_value JOB KEY: of scontrol, as JobState, Restarts, NodeList, ExitCode.
job_value() { scontrol -o show job "$1" 2>/dev/null | grep -o " $2=[^ ]*" | head -n 1 | cut -d= -f2-; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local begin=$SECONDS limit=$1 what=$2
  shift 2
  until "$@"; do
    ((SECONDS - begin < limit)) || fail "no $what within $limit s"
    sleep 0.2
  done
}

job_has_ended() { [[ $(job_value "$1" JobState) =~ ^(COMPLETED|FAILED|TIMEOUT|CANCELLED|NODE_FAIL|OUT_OF_MEMORY)$ ]]; }
job_restarted() { (($(job_value "$1" Restarts) >= $2)); }

# expect_end JOB SECONDS [STATE [EXIT-CODE:SIGNAL]]: waits for the end of the job.
expect_end() {
  local state=${3:-COMPLETED} code=${4:-0:0} found
  wait_for "$2" "end of job $1" job_has_ended "$1"
  found="$(job_value "$1" JobState) $(job_value "$1" ExitCode)"
  # shellcheck disable=SC2053 # code may be a pattern
  [[ $found == $state\ $code ]] || fail "job $1: expected $state $code, found $found"
}

# steps_of RUN: the number of completed steps.
steps_of() {
  local count
  count=$(grep -cs '"grad_norm"' "$1/metrics.jsonl")
  echo "${count:-0}"
}
has_steps() { (($(steps_of "$1") >= $2)); }

# expect_finished RUN STEP: the run has a checkpoint of its last step, and metrics of each step, once and in order.
expect_finished() {
  [[ -e $1/checkpoints/$(printf 'step-%08d' "$2")/MANIFEST.json ]] || fail "$1: no checkpoint of step $2"
  cmp -s <(grep -o '"step": [0-9]*' "$1/metrics.jsonl") <(seq -f '"step": %.0f' "$2") ||
    fail "$1: metrics.jsonl has not each of the steps 1 to $2 once"
}

# The numbers of each step that do not depend on time.
curve_of() { grep -oE '"(step|samples_seen|loss|scored_tokens|grad_norm|lr)": [^,}]*' "$1/metrics.jsonl"; }
# The digests of all tensors of a checkpoint.
digests_of() {
  grep -oE '"(name|blocks)": ?("[^"]*"|\[[^]]*\])' "$1/checkpoints/$(printf 'step-%08d' "$2")/MANIFEST.json"
}

# expect_equal RUN OTHER STEP: equal curves and equal last checkpoints, bit for bit.
expect_equal() {
  expect_finished "$1" "$3"
  expect_finished "$2" "$3"
  diff <(curve_of "$1") <(curve_of "$2") >difference || fail "the curves of $1 and $2 differ: $(head -n 4 difference)"
  [[ -n $(digests_of "$1" "$3") ]] || fail "$1: no digests in the manifest"
  cmp -s <(digests_of "$1" "$3") <(digests_of "$2" "$3") || fail "the last checkpoints of $1 and $2 differ"
}

# expect_log RUN TEXT: a line of the job's output has the text.
expect_log() { grep -qs -- "$2" "$1"/slurm-*.out || fail "the output of $1 has no '$2'"; }
