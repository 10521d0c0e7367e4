# shellcheck shell=bash disable=SC2034,SC2154,SC2317 # a part of run.sh
# Faults that scenarios/ try once and counted/ many times. Each function is one round: a job on this cluster that meets
# one fault. It returns 1 with the reason in `fault`, and sets `figures`, the numbers of the round as JSON.

options=("${training[@]}") # of train, for all rounds
fault='' figures=''

random() { number=$(($1 + RANDOM % ($2 - $1 + 1))); } # FROM TO: sets `number`; a subshell would not repeat them
nodes_of_job() { scontrol show hostnames "$(job_value "$1" NodeList)"; }
wrong() {
  fault="$*"
  return 1
}
# await SECONDS WHAT COMMAND...: as wait_for, for a round.
await() {
  local begin=$SECONDS limit=$1 what=$2
  shift 2
  until "$@"; do
    ((SECONDS - begin < limit)) || wrong "no $what within $limit s" || return
    sleep 0.2
  done
}
job_is_well() { # JOB: has completed
  [[ "$(job_value "$1" JobState) $(job_value "$1" ExitCode)" == "COMPLETED 0:0" ]] ||
    wrong "job $1: $(job_value "$1" JobState) $(job_value "$1" ExitCode)"
}
run_is_whole() { # RUN STEP: as expect_finished
  (expect_finished "$1" "$2") >round.log || wrong "$(cat round.log)"
}

# submit_text LINES [OPTION...] -- [TRAIN-OPTION...]: as submit, with lines of bash after the values of the text, and
# without its lines that match `without`.
submit_text() {
  local lines=$1 run
  shift
  "$lynceus" submit --config site.ini --dry-run "$@" 2>notes >text || fail "submit: $(cat notes)"
  run=$(sed -n 's/^run=//p' text)
  mkdir -p "$run"
  awk -v lines="$lines" -v without="${without:-^$^}" '$0 ~ without {next} {print} /^# ---- End of the/ {print lines}' \
    text >"$run/job.sbatch"
  job=$(sbatch --parsable --output="$run/slurm-%j.out" "$run/job.sbatch") || fail "sbatch"
}

# count_rounds NAME COUNT FUNCTION: calls it COUNT times with a run of its own, prints one line of JSON for each round and
# one for all, and fails if a round did. SEED gives the random numbers.
count_rounds() {
  local name=$1 count=$2 round passed=0 begin result
  RANDOM=${SEED:-1}
  for ((round = 1; round <= count; ++round)); do
    begin=$EPOCHREALTIME fault='' figures=''
    if "$3" "runs/$name-$round"; then passed=$((passed + 1)); fi
    result="\"passed\": $([[ -z $fault ]] && echo true || echo false), \"fault\": \"${fault//[\"$'\n'\\]/ }\""
    echo "{\"scenario\": \"$name\", \"round\": $round, $result, \"seconds\": $(seconds_since "$begin")${figures:+, }$figures}"
    if [[ -n $fault ]]; then
      tail -n 40 "runs/$name-$round"/slurm-*.out >&2
      scancel --user "$(id -un)"
    fi
    repair
  done
  echo "{\"scenario\": \"$name\", \"rounds\": $count, \"passed\": $passed, \"seed\": ${SEED:-1}}"
  ((passed == count)) || fail "$name: $passed of $count rounds passed"
}

# ---- A slurmd dies, its ranks do not
slurmd_off() { kill -9 "$(<"$cluster_folder/slurmd.$1.pid")"; }
node_down() { scontrol update "NodeName=$1" State=DOWN Reason=off; }
has_started() { # RUN COUNT
  [[ -e $1/incarnations.jsonl ]] && (($(grep -c '"event":"resumed"' "$1/incarnations.jsonl") >= $2))
}
commits() { (cd "$1/checkpoints" 2>/dev/null && sha256sum step-*/MANIFEST.json 2>/dev/null); }
# A process of a stopped rank of a run: State T.
stopped_rank() {
  local process
  for process in $(pgrep -f -- "train .*--run $1\$"); do
    [[ $(ps -o stat= -p "$process") != T* ]] || echo "$process"
  done
}
has_stopped_rank() { [[ -n $(stopped_rank "$1") ]]; }

# stale_round RUN POINT NTH STEPS: rank 0 is held at the NTH visit of a point of a save, and the slurmds of its job die.
# Slurm starts the job again on other nodes. When that has finished, the old rank goes on: it must commit nothing.
stale_round() {
  local run=$1 point=$2 nth=$3 steps=$4 old node before line
  # shellcheck disable=SC2016 # for the text
  line='[[ ${SLURM_RESTART_COUNT:-0} != 0 ]] || export LYNCEUS_FAULT='"$point@0#$nth=pause"
  submit_text "$line" --run "$run" -- "${options[@]}" --train.steps "$steps" --checkpoint.every 5
  await 90 "stopped rank" has_stopped_rank "$run" || return
  old=$(stopped_rank "$run")
  mapfile -t lost < <(nodes_of_job "$job")
  for node in "${lost[@]}"; do slurmd_off "$node" && node_down "$node"; done
  await 90 "second start" has_started "$run" 2 || return
  kill -0 "$old" || wrong "the old rank is gone before the new one is there" || return
  await 120 "end of job $job" job_has_ended "$job" || return
  job_is_well "$job" && run_is_whole "$run" "$steps" || return
  before=$(commits "$run")
  kill -CONT "$old"
  old_is_gone() { ! kill -0 "$old" 2>/dev/null; }
  await 60 "end of the stale rank" old_is_gone || return
  figures="\"point\": \"$point\", \"visit\": $nth, \"checkpoints\": $(wc -l <<<"$before")"
  [[ $(commits "$run") == "$before" ]] || wrong "the stale rank has committed: $(diff <(echo "$before") <(commits "$run"))" ||
    return
  [[ $(job_value "$job" JobState) == COMPLETED ]] || wrong "the stale text has started the job again" || return
  run_is_whole "$run" "$steps"
}
lost=()
# The nodes of the last round work again, and nothing of it runs there.
repair() {
  local node
  for node in "${lost[@]}"; do
    node_off "$node"
    node_on "$node"
  done
  lost=()
  all_idle() { (($(sinfo -h -N -t idle -o %N | sort -u | wc -l) == 4)); }
  wait_for 60 "idle nodes" all_idle
}

# ---- A node dies, and a spare one takes its place
# spare_round RUN LAUNCHER STEPS AFTER: the second node is powered off after AFTER steps.
spare_round() {
  local run=$1 launcher=$2 steps=$3 after=$4 off seconds done_before
  submit --run "$run" --launcher "$launcher" --spare-nodes 1 -- "${options[@]}" --train.steps "$steps" --checkpoint.every 20
  await 90 "$after steps" has_steps "$run" "$after" || return
  mapfile -t lost < <(nodes_of_job "$job" | sed -n 2p)
  off=$EPOCHREALTIME
  node_off "${lost[0]}"
  await 60 "second start" has_started "$run" 2 || return
  done_before=$(steps_of "$run")
  more_steps() { (($(steps_of "$run") > done_before)); }
  await 60 "step of the second start" more_steps || return
  seconds=$(seconds_since "$off")
  figures="\"launcher\": \"$launcher\", \"seconds_to_the_next_step\": $seconds"
  await 120 "end of job $job" job_has_ended "$job" || return
  job_is_well "$job" && run_is_whole "$run" "$steps" || return
  [[ $(job_value "$job" Restarts) == 0 ]] || wrong "the job was put back into the queue" || return
  awk -v seconds="$seconds" 'BEGIN {exit !(seconds <= 30)}' || wrong "$seconds s from the kill to the next step"
}

# lost_text_round RUN STEPS AFTER: the same, but with the node of the text. Slurm keeps such a job, and a step on another
# node puts it back into the queue.
lost_text_round() {
  local run=$1 steps=$2 after=$3
  submit --run "$run" --spare-nodes 1 -- "${options[@]}" --train.steps "$steps" --checkpoint.every 20
  lose_node "$run" "$after" 1 || return
  await 120 "second start" job_restarted "$job" 1 || return
  await 180 "end of job $job" job_has_ended "$job" || return
  job_is_well "$job" && run_is_whole "$run" "$steps"
}
# lose_node RUN AFTER N: powers the Nth node of the job off after AFTER steps.
lose_node() {
  await 90 "$2 steps" has_steps "$1" "$2" || return
  mapfile -t lost < <(nodes_of_job "$job" | sed -n "$3p")
  off=$EPOCHREALTIME
  node_off "${lost[0]}"
  node_down "${lost[0]}" # without this Slurm notices it after 25 s
}

# ---- A node dies, and the job goes back into the queue
lost_round() { # RUN STEPS AFTER N
  local run=$1 steps=$2
  submit --run "$run" -- "${options[@]}" --train.steps "$steps" --checkpoint.every 20
  lose_node "$run" "$3" "$4" || return
  await 90 "second start" has_started "$run" 2 || return
  figures="\"node\": $4, \"seconds_to_the_next_start\": $(seconds_since "$off")"
  await 180 "end of job $job" job_has_ended "$job" || return
  job_is_well "$job" && run_is_whole "$run" "$steps"
}

# ---- The job ends, and no signal says so
# clock_round RUN STEPS SECONDS...: a job without --signal, whose first starts have these lengths. Each must end by its own
# clock before Slurm would end it, and leave at most a save, a step and 5 s unused. Slurm looks at its limits every 30 s:
# here the limit itself counts. Steps take at least 60 ms in these starts.
clock_round() {
  local run=$1 steps=$2 count=$(($# - 2)) i lines
  shift 2
  # shellcheck disable=SC2016 # for the text
  lines='lengths=('"$*"') length=${lengths[${SLURM_RESTART_COUNT:-0}]:-}
if [[ -n $length ]]; then
  scontrol update "JobId=$SLURM_JOB_ID" "EndTime=now+${length}seconds"
  echo "limit $(date -d "$(squeue -h -j "$SLURM_JOB_ID" -o %e)" +%s)"
  export "LYNCEUS_FAULT=step.before_reduce#1-100000=slow"
fi
scontrol() {
  [[ $1 != requeue ]] || echo "ended $EPOCHREALTIME"
  command scontrol "$@"
}'
  without='^#SBATCH --signal' submit_text "$lines" --run "$run" -- "${options[@]}" --train.steps "$steps"
  ! grep -q '^#SBATCH --signal' "$run/job.sbatch" || wrong "the text has --signal" || return
  clock_has_ended() { [[ -e $run/slurm-$job.out ]] && (($(grep -c '^ended ' "$run/slurm-$job.out") >= count)); }
  await $((60 * count + 60)) "$count ends" clock_has_ended || return
  figures=
  for ((i = 1; i <= count; ++i)); do check_clock "$run" $i "${!i}" || return; done
}
# check_clock RUN N LENGTH: of the Nth start.
check_clock() {
  local record limit ended left unused
  record=$(grep '"event":"end"' "$1/incarnations.jsonl" | sed -n "$2p")
  limit=$(sed -n 's/^limit //p' "$1"/slurm-*.out | sed -n "$2p")
  ended=$(sed -n 's/^ended //p' "$1"/slurm-*.out | sed -n "$2p")
  of_record() { grep -oE "\"$1\": ?[0-9a-z.]+" <<<"$record" | cut -d: -f2; }
  left=$(awk -v limit="$limit" -v ended="$ended" 'BEGIN {printf "%.1f", limit - ended}')
  unused=$(awk -v left="$left" -v step="$(of_record largest_step)" -v save="$(of_record largest_save)" \
    'BEGIN {printf "%.1f", left - step - save}')
  figures=${figures:-'"starts": []'}
  figures="${figures%]}$([[ $figures == *'[]' ]] || echo ', '){\"limit\": $3, \"left\": $left, \"step\": $(of_record largest_step), \"save\": $(of_record largest_save)}]"
  [[ "$(of_record exit_code) $(of_record by_request)" == "75 false" ]] || wrong "not its own clock: $record" || return
  [[ $(of_record last_step) == "$(of_record committed_step)" ]] || wrong "steps are lost: $record" || return
  awk -v left="$left" 'BEGIN {exit !(left > 0)}' || wrong "cut off: $left s left" || return
  awk -v unused="$unused" 'BEGIN {exit !(unused <= 5)}' || wrong "stopped too early: $left s left: $record"
}
