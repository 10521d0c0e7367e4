# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Five times each by srun and by mpirun: a node that computes is powered off, and a spare one takes its place. Then the node
# of the text itself is lost: the job goes back into the queue.
spare_srun() { random 20 60 && spare_round "$1" srun 150 "$number"; }
spare_mpirun() { random 20 60 && spare_round "$1" mpirun 150 "$number"; }
spare_text() { random 20 60 && lost_text_round "$1" 150 "$number"; }
count_rounds spare_node "${ROUNDS:-5}" spare_srun
count_rounds spare_node_mpirun "${ROUNDS:-5}" spare_mpirun
count_rounds spare_node_text 1 spare_text
