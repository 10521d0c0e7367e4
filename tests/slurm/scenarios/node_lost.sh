# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Two runs lose a node: one that of its batch script, one another. Both jobs go back into the queue, resume from their
# newest checkpoints, and end like a run that lost none.
train_options=("${training[@]}" --train.steps 200 --checkpoint.every 20)
submit --run runs/whole -- "${train_options[@]}"
expect_end "$job" 120
submit --run runs/first -- "${train_options[@]}"
first=$job
submit --run runs/last -- "${train_options[@]}"
last=$job
wait_for 60 "50 steps" has_steps runs/first 50
wait_for 60 "50 steps" has_steps runs/last 50
lost=("$(scontrol show hostnames "$(job_value "$first" NodeList)" | head -n 1)"
  "$(scontrol show hostnames "$(job_value "$last" NodeList)" | tail -n 1)")
for node in "${lost[@]}"; do
  node_off "$node"
  # Without this line Slurm notices it after about 25 s.
  scontrol update "NodeName=$node" State=DOWN Reason=off || fail "scontrol"
done
wait_for 60 "second start" job_restarted "$first" 1
wait_for 60 "second start" job_restarted "$last" 1
for node in "${lost[@]}"; do node_on "$node"; done
for run in first last; do
  expect_end "${!run}" 180
  expect_log "runs/$run" 'start 2, on'
  expect_log "runs/$run" 'resumed from step'
  expect_equal runs/whole "runs/$run" 200
done
