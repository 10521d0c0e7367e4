# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# The form with mpirun over two nodes. Asked to stop in the middle, all ranks save, also those of the other node; the
# job goes back into the queue and ends like a run that nobody stopped.
submit --run runs/whole --launcher mpirun -- "${training[@]}" --train.steps 150
whole=$job
expect_end "$whole" 120
submit --run runs/stopped --launcher mpirun -- "${training[@]}" --train.steps 150
wait_for 60 "10 steps" has_steps runs/stopped 10
scancel --batch --signal=USR1 "$job" || fail "scancel"
wait_for 60 "second start" job_restarted "$job" 1
expect_log runs/stopped 'stopped on request after step'
expect_end "$job" 120
expect_log runs/stopped 'resumed from step'
expect_equal runs/whole runs/stopped 150
