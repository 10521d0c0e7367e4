# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# A real Slurm on one machine: a controller and several slurmds, each a node of its own. Source it, or use it
# as a command (tests/slurm/cluster):
#
#   cluster_up FOLDER [NODES]   start; returns when all nodes are idle. Exports SLURM_CONF
#   cluster_down FOLDER         stop; nothing of it is left but its logs in FOLDER/log
#   cluster_attach FOLDER       use a cluster that another process has started
#   node_off NODE               power a node off: its slurmd and all its processes die at once
#   node_on NODE                power it on again, as after a reboot
#   node_processes NODE         its process ids
#
# Settings: CPUS of a node (2), GPUS of a node (2, of a kind that nothing can be computed on).
#
# All files are in FOLDER, nothing under /etc or /run is touched. A cluster takes the first free block of ports,
# so that several run at once. Needs root, slurm-wlm and munge. What surprises:
#   - Each slurmd has its own UTS namespace. Open MPI takes ranks of one host name for neighbours in shared
#     memory; and the namespace marks the processes of a node, so that node_off finds all of them. Each also has its
#     own /dev/shm: two clusters have jobs of one number on nodes of one name, and so files of one name there.
#   - %n also in TmpFS: nodes would share the folders of PMIx.
#   - cred_expire: a requeued job waits for that many seconds, 120 by default.
#   - GPUs need File=, here copies of /dev/null: with Count= alone the nodes are drained.
#   - node_on begins with an empty spool, as a node without disks: a job that was lost there and requeued cannot start
#     where its earlier files are ("launch failed requeued held").

cluster_folder=

# The reason why no cluster can be started here; empty: it can.
cluster_missing() {
  local program
  for program in slurmctld slurmd munged sbatch; do
    command -v "$program" >/dev/null && continue
    echo "$program: not installed (tools/setup.sh --checkers installs slurm-wlm and munge)"
    return
  done
  ((EUID == 0)) || { echo "a private Slurm needs root" && return; }
  unshare --uts --mount mount -t tmpfs tmpfs /dev/shm 2>/dev/null ||
    echo "a private Slurm needs namespaces: unshare --uts --mount, or mount, is not permitted"
}

cluster_attach() {
  cluster_folder=$(realpath "$1")
  export SLURM_CONF=$cluster_folder/slurm.conf
}

# Opens the lock of the first free block of 32 ports and keeps it for as long as this process lives; prints nothing,
# sets cluster_port.
cluster_take_ports() {
  local slot
  for ((slot = 0; slot < 64; ++slot)); do
    cluster_port=$((17000 + 32 * slot))
    exec {cluster_lock}>"/tmp/lynceus-slurm-$cluster_port.lock"
    if flock --nonblock "$cluster_lock" && ! (: <>"/dev/tcp/127.0.0.1/$cluster_port") 2>/dev/null; then return; fi
    exec {cluster_lock}>&-
  done
  echo "cluster: no free block of ports from 17000 on" >&2
  return 1
}

cluster_configuration() {
  local nodes=$1 folder=$cluster_folder cpus=${CPUS:-2} gpus=${GPUS:-2} memory node
  memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  cat <<END
ClusterName=lynceus
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$cluster_port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/log/jobs.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,requeue_setup_env_fail
ReturnToService=2
SlurmctldParameters=node_reg_mem_percent=0
SlurmdParameters=config_overrides
GresTypes=gpu
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
TmpFS=$folder/tmp.%n
SlurmctldTimeout=30
SlurmdTimeout=5
MessageTimeout=10
InactiveLimit=0
KillWait=5
MinJobAge=600
UnkillableStepTimeout=20
JobRequeue=1
SlurmctldDebug=info
SlurmdDebug=info
END
  for ((node = 1; node <= nodes; ++node)); do
    echo "NodeName=n$node NodeAddr=127.0.0.1 Port=$((cluster_port + node)) CPUs=$cpus Sockets=1" \
      "CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$((memory / nodes)) Gres=gpu:$gpus State=UNKNOWN"
  done
  echo "PartitionName=main Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4"
}

cluster_up() {
  local nodes=${2:-4} node gpu
  mkdir -p "$1"
  cluster_attach "$1"
  local folder=$cluster_folder
  cluster_take_ports || return
  mkdir -p "$folder"/{munge,state,log,dev}
  chmod 755 "$folder" "$folder/munge"
  cluster_configuration "$nodes" >"$folder/slurm.conf"
  for ((gpu = 0; gpu < ${GPUS:-2}; ++gpu)); do mknod "$folder/dev/gpu$gpu" c 1 3; done
  echo "Name=gpu File=$folder/dev/gpu[0-$((${GPUS:-2} - 1))]" >"$folder/gres.conf"
  printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$folder/cgroup.conf"

  # The daemons must not keep the lock of the ports.
  (
    exec {cluster_lock}>&-
    (umask 077 && head -c 128 /dev/urandom >"$folder/munge/key")
    munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
      --pid-file="$folder/munge/pid" --log-file="$folder/log/munged.log" \
      --seed-file="$folder/munge/seed" --num-threads=2 &&
      slurmctld -f "$SLURM_CONF" -c
  ) || return
  for ((node = 1; node <= nodes; ++node)); do node_on "n$node" || return; done
  local try idle
  for ((try = 0; try < 300; ++try)); do
    idle=$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)
    ((idle == nodes)) && return
    sleep 0.1
  done
  echo "cluster: $idle of $nodes nodes are idle after 30 s; the logs are in $folder/log" >&2
  return 1
}

cluster_down() {
  cluster_attach "$1"
  local folder=$cluster_folder pid file
  for file in "$folder/slurmctld.pid" "$folder/munge/pid"; do
    [[ -s $file ]] || continue
    pid=$(<"$file")
    # In another PID namespace the number means another process.
    grep -qzF -e "$folder" "/proc/$pid/cmdline" 2>/dev/null || continue
    kill -9 "$pid" 2>/dev/null # a controller that is asked to end first waits for its nodes
    cluster_await_end "$pid"
    rm -f "$file"
  done
  for file in "$folder"/namespace.*; do
    [[ ! -e $file ]] || node_off "${file##*/namespace.}"
  done
  rm -rf "${folder:?}"/{munge,state,dev,spool.*,tmp.*,namespace.*}
}

# Waits at most 10 s for a process that is not a child.
cluster_await_end() {
  local try state
  for ((try = 0; try < 100; ++try)); do
    state=$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) || return 0
    [[ -n $state && $state != Z ]] || return 0
    sleep 0.1
  done
  return 1
}

node_processes() {
  local namespace process
  namespace=$(<"$cluster_folder/namespace.$1") || return
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/ns/uts" 2>/dev/null) != "$namespace" ]] || echo "${process#/proc/}"
  done
}

node_off() {
  local round pids
  [[ -e $cluster_folder/namespace.$1 ]] || return 0
  for ((round = 0; round < 20; ++round)); do # a process may have started another one meanwhile
    pids=$(node_processes "$1")
    [[ -n $pids ]] || break
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null
    sleep 0.05
  done
  # The kernel gives the number of a namespace that has ended to another one.
  rm -f "$cluster_folder/slurmd.$1.pid" "$cluster_folder/namespace.$1"
}

node_on() {
  local folder=$cluster_folder
  rm -rf "$folder/tmp.$1" "$folder/spool.$1"
  mkdir -p "$folder/spool.$1" "$folder/tmp.$1"
  # shellcheck disable=SC2016
  (
    [[ -z ${cluster_lock:-} ]] || exec {cluster_lock}>&-
    unshare --uts --mount sh -c 'hostname "$1"; readlink /proc/self/ns/uts >"$2"; mount -t tmpfs tmpfs /dev/shm
      exec slurmd -f "$SLURM_CONF" -N "$1"' sh "$1" "$folder/namespace.$1"
  )
}

# Processes of the cluster that are still there after cluster_down.
cluster_leftovers() {
  local process
  for process in /proc/[0-9]*; do
    grep -qzF -e "$cluster_folder" "$process/cmdline" 2>/dev/null && [[ ${process#/proc/} != "$$" ]] &&
      tr '\0' ' ' <"$process/cmdline"
  done
}
