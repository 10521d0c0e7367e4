#include "slurm/batch_nodes.h"

namespace lynceus::slurm {

const char* const kBatchNodes = R"bash(
# ---- Nodes
# The ranks use all nodes of the job but the spare ones.
mapfile -t all_nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
count=$((SLURM_JOB_NUM_NODES - spare_nodes))
nodes_of() { if [[ -n $1 ]]; then scontrol show hostnames "$1" | sort; fi; }

# Notes of what ended the ranks. The watchdog leaves them, ranks that fail, the command around each rank for a rank
# that a signal ends, and this text for a node that is lost.
note() { # NAME RANK NODE CAUSE
  mkdir -p "$run/failures"
  printf '{"rank":%d,"node":"%s","cause":"%s"}\n' "$2" "$3" "$4" >"$run/failures/.$1" &&
    mv "$run/failures/.$1" "$run/failures/$1.json"
}
noted_nodes() { sed -nE 's/.*"node": ?"([^"]+)".*/\1/p' "$run"/failures/*.json 2>/dev/null | sort -u; }
# The nodes that have failed the run twice. The trainer lists them, with its next start also those of the notes: too
# late for the nodes of that start.
bad_nodes() {
  local node
  {
    nodes_of "$(cat "$run/excluded_nodes" 2>/dev/null)"
    for node in $(noted_nodes); do
      tac "$run/incarnations.jsonl" 2>/dev/null | sed '0,/"event": *"begin"/d' | grep -F '"failures"' |
        grep -qF "\"node\":\"$node\"" && echo "$node"
    done
  } | sort -u
}

# choose_nodes FILE...: sets `nodes` to those of the ranks, out of the names that are given: not the bad ones, and those
# with notes last. Fails if they are too few.
choose_nodes() {
  local bad noted
  bad=$(bad_nodes) noted=$(noted_nodes)
  mapfile -t nodes < <(printf '%s\n' "$@" | grep -vxF "${bad:-/}")
  mapfile -t nodes < <(printf '%s\n' "${nodes[@]}" | grep -vxF "${noted:-/}"
    printf '%s\n' "${nodes[@]}" | grep -xF "${noted:-/}")
  nodes=("${nodes[@]:0:count}")
  ((${#nodes[@]} == count))
}

# Where each slurmd listens: NODE=ADDRESS/PORT, of the nodes that take connections now. A node that no longer does, and
# takes no part in a step, is lost. Slurm itself waits for SlurmdTimeout, which is minutes.
slurmds=()
connect='for slurmd; do : <>"/dev/tcp/${slurmd#*=}" && echo "${slurmd%%=*}"; done 2>/dev/null'
find_slurmds() {
  local port
  port=$(scontrol show config | awk '$1 == "SlurmdPort" {print $3}')
  mapfile -t slurmds < <(scontrol show node --oneliner "$SLURM_JOB_NODELIST" | awk -v usual="$port" '{
    delete value
    value["Port"] = usual
    for (i = 1; i <= NF; ++i) if (split($i, part, "=") == 2) value[part[1]] = part[2]
    print value["NodeName"] "=" value["NodeAddr"] "/" value["Port"]}')
  mapfile -t slurmds < <(printf '%s\n' "${slurmds[@]}" |
    grep -E "^($(answering "${all_nodes[@]}" | paste -sd '|'))=")
}
# Those of the nodes that take connections; also those that did not at the start, behind a firewall.
answering() {
  local node slurmd known=() found
  for node in "$@"; do
    slurmd=$(printf '%s\n' "${slurmds[@]}" | grep "^$node=")
    if [[ -n $slurmd ]]; then known+=("$slurmd"); else echo "$node"; fi
  done
  ((${#known[@]} > 0)) || return 0
  found=$(timeout --signal=KILL 2 bash -c "$connect" bash "${known[@]}")
  if (($(wc -l <<<"$found") == ${#known[@]})); then
    echo "$found"
    return
  fi
  for slurmd in "${known[@]}"; do timeout --signal=KILL 2 bash -c "$connect" bash "$slurmd" & done # each by itself
  wait
}

# ---- Spare nodes
# A job with --no-kill survives the loss of a node. The ranks start again at once on nodes that are left.
small_step=(srun --overlap --mpi=none --quiet --nodes=1 --ntasks=1 --ntasks-per-node=1 --cpus-per-task=1 --gpu-bind=none)

# Ends the ranks when one of their nodes is lost: no step is completed for a while, and the node takes no connection
# three times. `longest`: the most seconds between two steps.
watch_nodes() {
  local now last since=$SECONDS looked=$SECONDS changes=0 longest=0 patience misses=0
  last=$(stat -c %.Y "$run/metrics.jsonl" 2>/dev/null)
  while sleep 2; do
    now=$(stat -c %.Y "$run/metrics.jsonl" 2>/dev/null)
    if [[ $now != "$last" ]]; then
      if ((++changes > 2 && SECONDS - since > longest)); then longest=$((SECONDS - since)); fi
      last=$now since=$SECONDS looked=$SECONDS misses=0
      continue
    fi
    patience=$((longest < 2 ? 5 : longest > 20 ? 60 : 3 * longest))
    ((SECONDS - since >= patience && (misses > 0 || SECONDS - looked >= 5))) || continue
    looked=$SECONDS
    if (($(answering "${nodes[@]}" | wc -l) == count)); then misses=0; else misses=$((misses + 1)); fi
    if ((misses == 3)); then
      kill -KILL "$ranks"
      return
    fi
  done
}

# Ends what the last start has left on a node, and says that the node is usable.
end_ranks='for try in {1..50}; do
  mapfile -t left < <(grep -lzx "LYNCEUS_JOB_START=.*" /proc/[0-9]*/environ 2>/dev/null |
    xargs -r grep -lzx "SLURM_JOB_ID=$SLURM_JOB_ID" 2>/dev/null |
    xargs -r grep -lzx "SLURMD_NODENAME=$SLURMD_NODENAME" 2>/dev/null | cut -d/ -f3)
  if ((${#left[@]} == 0)); then
    echo "$SLURMD_NODENAME"
    exit
  fi
  kill -KILL "${left[@]}" 2>/dev/null
  sleep 0.1
done'
replace_nodes() {
  local node there usable
  there=$(answering "${all_nodes[@]}")
  for node in "${nodes[@]}"; do
    if grep -qxF "$node" <<<"$there"; then continue; fi
    echo "lynceus: node $node is lost: it takes no connection"
    note "node-$node" -1 "$node" "the node takes no connection"
  done
  usable=$(
    for node in $there; do
      timeout --signal=KILL 10 "${small_step[@]}" --nodelist="$node" bash -c "$end_ranks" &
    done
    wait
  )
  # The step of the last start has not ended on a lost node, and keeps its cores on the others.
  export SLURM_OVERLAP=1
  guard_job
  mapfile -t usable < <(printf '%s\n' "${all_nodes[@]}" | grep -xF "${usable:-/}")
  choose_nodes "${usable[@]}"
}

# If the node of this text is lost, a job with --no-kill would go on without this text. A step on another node then
# puts the job back into the queue.
guard='while sleep 20; do
  nodes=$(squeue -h -j "$1" -o %N) && [[ -n $nodes ]] || continue
  if scontrol show hostnames "$nodes" | grep -qxF "$2"; then continue; fi
  echo "lynceus: job $1 has lost node $2, where its text ran, back into the queue" >>"$3"
  scontrol requeue "$1"
done'
guarding=
guard_job() {
  local node
  if [[ -n $guarding ]]; then kill "$guarding" 2>/dev/null; fi
  node=$(answering "${all_nodes[@]}" | grep -vxF "$SLURMD_NODENAME" | sort | tail -n 1)
  [[ -n $node ]] || return 0
  "${small_step[@]}" --nodelist="$node" bash -c "$guard" bash "$job" "$SLURMD_NODENAME" "$(readlink "/proc/$$/fd/1")" \
    >/dev/null 2>&1 &
  guarding=$!
  disown "$guarding"
}
)bash";

}  // namespace lynceus::slurm
