# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Five times: a random one of the two nodes of a job is powered off. Slurm puts the job back into the queue, and the run
# ends like one that lost no node.
submit --run runs/whole -- "${options[@]}" --train.steps 150
expect_end "$job" 120
lost_any() {
  random 1 2 && which=$number && random 20 60 && lost_round "$1" 150 "$number" "$which" || return
  (expect_equal runs/whole "$1" 150) >round.log || wrong "$(cat round.log)"
}
count_rounds node_lost "${ROUNDS:-5}" lost_any
