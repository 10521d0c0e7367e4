# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# A node dies and a spare one takes its place at once, without the queue: the next step is done within 30 s, and the run
# ends like one that lost no node.
submit --run runs/whole -- "${training[@]}" --train.steps 200
expect_end "$job" 120
spare_round runs/spare srun 200 30 || fail "$fault"
echo "$figures"
[[ $(grep '"event":"begin"' runs/spare/incarnations.jsonl | tail -n 1) == *'"nodes":["n1","n3"]'* ]] ||
  fail "expected the second start on n1 and n3"
expect_log runs/spare "start again on n1 n3"
expect_equal runs/whole runs/spare 200
