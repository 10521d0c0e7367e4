# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# The slurmds of a job die, but not its ranks: Slurm starts the job again on other nodes, where it takes the lease and
# finishes. The old rank 0 was about to commit a checkpoint, and commits nothing.
stale_round runs/stale checkpoint.before_rename 3 60 || fail "$fault"
expect_log runs/stale 'taken over from'
repair
