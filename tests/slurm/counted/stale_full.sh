# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Twenty times: the slurmds of a job die while its rank 0 is at a random place of a random save, Slurm starts the job
# again, and the old rank goes on afterwards. It commits nothing.
points=(checkpoint.begin checkpoint.staged checkpoint.before_manifest checkpoint.before_rename)
stale_any() { random 0 3 && point=${points[number]} && random 2 5 && stale_round "$1" "$point" "$number" 40; }
count_rounds stale "${ROUNDS:-20}" stale_any
