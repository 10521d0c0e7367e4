#include "slurm/batch_body.h"

namespace lynceus::slurm {

const char* const kBatchEnvironment = R"bash(
for module in "${modules[@]}"; do
  module load "$module" && continue
  echo "lynceus: module load $module failed (exit code $?): the job ends" >&2
  exit 2
done
set -u
# A job of an array has its own number only in this form.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-$SLURM_JOB_ID}

# ---- Environment of the ranks
# When the job ends, in unix seconds: the trainer saves in time by its own clock. Slurm 22.05 and older set no
# SLURM_JOB_END_TIME; squeue says NONE if there is no limit.
end=${SLURM_JOB_END_TIME:-$(date -d "$(squeue -h -j "$job" -o %e || echo NONE)" +%s 2>/dev/null)}
if [[ -n $end ]]; then export LYNCEUS_JOB_END=$end; fi
# How long before that Slurm asks for a checkpoint: such a request is not one of a person.
LYNCEUS_JOB_SIGNAL=$(sed -n 's/^#SBATCH --signal=.*@//p' "$0")
export LYNCEUS_JOB_SIGNAL
# As many threads at every start: sums are then rounded alike, and a resumed run is bit-equal.
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
# Lustre and NFS are often mounted without locks. The trainer uses none, but other programs in the job may.
export HDF5_USE_FILE_LOCKING=FALSE
# Prints why a group of GPUs cannot be built, or fails. INFO also prints the networks that NCCL has found.
export NCCL_DEBUG=${NCCL_DEBUG:-WARN}
# NCCL waits 17 s instead of 4 s for an answer of InfiniBand: a link that comes back does not end the job.
export NCCL_IB_TIMEOUT=${NCCL_IB_TIMEOUT:-22}
if [[ -n $interface ]]; then export NCCL_SOCKET_IFNAME=$interface; fi
# Cray MPICH: each rank uses the network card of its NUMA domain.
export MPICH_OFI_NIC_POLICY=${MPICH_OFI_NIC_POLICY:-NUMA}

)bash";

const char* const kBatchBody = R"bash(
# ---- Start
# Consecutive ranks share a node: they are tensor ranks, which exchange most. Each rank has cores of its own, and
# memory next to them. It sees all GPUs of the node, because NCCL reaches only visible ones directly, and uses the
# one of its number on the node. With spare nodes the command names the nodes.
set_start() {
  local tasks=$((count * SLURM_NTASKS_PER_NODE)) names
  names=$(IFS=, && echo "${nodes[*]}")
  case $launcher in
    srun | cray)
      start=(srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" --distribution=block:block
        --cpu-bind=cores --mem-bind=local --gpu-bind=none)
      if [[ $launcher == srun ]]; then start+=(--mpi=pmix); fi
      # PMIx in Slurm 22.05 looks for the nodes of a step among the first nodes of the job. A rank that is asked for
      # its address before all have started would never answer.
      if ((spare_nodes > 0)); then
        start=(env "SLURM_JOB_NODELIST=$names" "${start[@]}" --nodes="$count" --ntasks="$tasks" --nodelist="$names")
      fi
      ;;
    mpirun)
      start=(mpirun -n "$tasks" --map-by "ppr:$SLURM_NTASKS_PER_NODE:node:PE=$SLURM_CPUS_PER_TASK" --bind-to core)
      if ((spare_nodes > 0)); then
        start+=(--host "${names//,/:$SLURM_NTASKS_PER_NODE,}:$SLURM_NTASKS_PER_NODE")
      fi
      ;;
    *)
      echo "launcher: expected srun, mpirun or cray, found '$launcher'" >&2
      exit 2
      ;;
  esac
  start+=(bash -c "$rank_command" bash "$run" "${nics[*]}")
  if [[ -n $container ]]; then
    start+=(apptainer exec ${SLURM_GPUS_PER_NODE:+--nv} --bind "$PWD" "$container")
  fi
}
# Around each rank: its network card, and a note if a signal ends it, other than a request to stop.
rank_command='run=$1 rank=${OMPI_COMM_WORLD_RANK:-$SLURM_PROCID}
if [[ -n $2 ]]; then
  read -ra nics <<<"$2"
  export UCX_NET_DEVICES=${nics[${OMPI_COMM_WORLD_LOCAL_RANK:-$SLURM_LOCALID} % ${#nics[@]}]}
fi
shift 2
trap : HUP INT TERM USR1
"$@"
code=$?
if [[ $code =~ ^(13[1-79])$ ]]; then
  sleep 0.5 # where all ranks are being killed, this command is, too
  '"$(declare -f note)"'
  note "rank-$rank" "$rank" "$SLURMD_NODENAME" "ended by signal $((code - 128))"
fi
exit $code'

# ---- Stop on request
# srun passes USR1 on to its ranks. mpirun passes it on unreliably, and ends its ranks 2 s after TERM: a step of its
# own looks for the ranks of the job on each node and signals them, so that they have time to save.
signal_ranks='for process in /proc/[0-9]*; do
  has() { grep -qzx "$1" "$process/environ" 2>/dev/null; }
  if has "SLURM_JOB_ID=$SLURM_JOB_ID" && has "SLURMD_NODENAME=$SLURMD_NODENAME" && has "OMPI_COMM_WORLD_RANK=.*"; then
    kill -USR1 "${process#/proc/}"
  fi
done'
ask_ranks_to_stop() {
  asked=$((asked + 1))
  # At the time limit Slurm sends TERM, and kills all processes of the job KillWait later, this text too: now or never.
  if [[ $1 == TERM && -n $ranks && $limit_passed == 0 ]] && is_past_limit; then
    limit_passed=1
    echo "lynceus: the time limit has passed before the ranks have saved and ended, back into the queue. Steps after the" \
      "newest checkpoint may be lost: allow more in --signal-seconds, or --time, for a step and a save"
    (trap '' TERM USR1; requeue)
  fi
  if [[ -z $ranks ]]; then
    return
  elif [[ $launcher == mpirun ]]; then
    srun --overlap --mpi=none --nodes="$count" --nodelist="$(IFS=, && echo "${nodes[*]}")" --ntasks="$count" \
      --ntasks-per-node=1 --cpus-per-task=1 --gpu-bind=none bash -c "$signal_ranks" &
  else
    kill -USR1 "$ranks"
  fi
}

# ---- Back into the queue
is_past_limit() { [[ -n $end ]] && (($(date +%s) >= end)); }
# Whether Slurm is ending the job although it has time left: somebody has cancelled it.
is_cancelled() { [[ $(squeue -h -j "$job" -o %T) == COMPLETING ]] && ! is_past_limit; }
# The trainer has found the file STOP: a person has ended the job for good.
is_stopped_by_file() { ((code == 75)) && [[ -e $run/STOPPED ]]; }

# Whether Slurm has put the job back because it has lost this node, and this text has survived that.
is_replaced() {
  local restarts
  restarts=$(scontrol show job "$SLURM_JOB_ID" 2>/dev/null | grep -o 'Restarts=[0-9]*')
  ((${restarts#*=} + 0 > ${SLURM_RESTART_COUNT:-0}))
}

# Slurm then ends this text, but waits for it: time to exclude nodes from the next start.
requeue() {
  local before
  trap '' TERM USR1
  excluded=$(bad_nodes | paste -sd ,)
  before=$(squeue -h -j "$job" -o %x)
  scontrol requeue "$job" || return
  [[ -n $excluded ]] || return
  [[ -z $before || $before == *null* ]] || excluded=$(nodes_of "$excluded,$before" | uniq | paste -s -d ,)
  scontrol update "JobId=$job" "ExcNodeList=$excluded" || echo "lynceus: could not exclude the nodes $excluded" >&2
}

# Where Slurm itself has put the job back, excluded nodes may be among the new ones. They are tried once if there are
# not enough others.
if ! choose_nodes "${all_nodes[@]}"; then
  bad=$(comm -12 <(printf '%s\n' "${all_nodes[@]}" | sort) <(bad_nodes))
  excluded=$(bad_nodes | paste -sd ,)
  if [[ -n $bad && "$job $excluded" != "$(cat "$run/excluded_nodes.asked" 2>/dev/null)" ]]; then
    echo "lynceus: job $job has excluded nodes, back into the queue: $bad"
    echo "$job $excluded" >"$run/excluded_nodes.asked"
    requeue && exit 75
  fi
  nodes=("${all_nodes[@]:0:count}")
fi

# ---- The run
log_time() { stat -c %.Y "$run/log/train.log" 2>/dev/null; }
# Runs the ranks on `nodes`, and sets `code`.
starts=0
run_ranks() {
  local asked_before watch=
  log_before=$(log_time)
  rm -f "$run/STOPPED"
  set_start
  LYNCEUS_JOB_START=$starts "${start[@]}" "$lynceus" train "${train[@]}" --run "$run" &
  ranks=$!
  if ((spare_nodes > 0)); then
    watch_nodes &
    watch=$!
    disown "$watch"
  fi
  while
    asked_before=$asked
    wait "$ranks"
    code=$?
    ((asked != asked_before)) # a signal ended the waiting, not the ranks
  do :; done
  ranks=
  if [[ -n $watch ]]; then kill "$watch" 2>/dev/null; fi
}
# 75: stopped on request, after a checkpoint. 124: the watchdog ended ranks that hung. Above 128: a signal ended a
# rank; the next start may have another node or more memory. All other codes (0, 2, 3, 4, 5, 93 ...) are final, and the
# job's own.
needs_start() { ((code == 75 || code == 124 || code > 128)); }
# Ranks that a signal ends before the log of the run begins are started twice more at once: MPI may fail to start.
died_early() { ((code > 128 && asked == 0)) && [[ $(log_time) == "$log_before" ]]; }

asked=0 ranks=
limit_passed=0
trap 'ask_ranks_to_stop USR1' USR1
trap 'ask_ranks_to_stop TERM' TERM
echo "lynceus: job $job, start $((${SLURM_RESTART_COUNT:-0} + 1)), on $SLURM_JOB_NODELIST"
if ((spare_nodes > 0)); then
  find_slurmds
  guard_job
fi
run_ranks
early=0
while needs_start; do
  if is_cancelled || is_replaced || ((limit_passed)); then exit "$code"; fi
  if is_stopped_by_file; then
    echo "lynceus: stopped by $run/STOP: the job ends. The command that submitted the run continues it"
    break
  fi
  if died_early; then
    early=$((early + 1))
    ((early < 3)) || break
  elif ((spare_nodes == 0 || asked != 0 || code == 75)); then
    echo "lynceus: exit code $code, back into the queue"
    requeue
    break
  fi
  if ((spare_nodes > 0)) && ! replace_nodes; then
    echo "lynceus: exit code $code, too few nodes, back into the queue"
    requeue
    break
  fi
  starts=$((starts + 1))
  echo "lynceus: exit code $code, start again on ${nodes[*]}"
  run_ranks
done
exit "$code"
)bash";

}  // namespace lynceus::slurm
