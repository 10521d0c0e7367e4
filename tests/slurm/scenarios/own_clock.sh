# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Without any signal: the job ends by its own clock, before its time limit and with a checkpoint of its last step, goes
# back into the queue, and finishes.
clock_round runs/clock 400 25 || fail "$fault"
echo "$figures"
expect_end "$job" 120
expect_finished runs/clock 400
expect_log runs/clock 'stopped before the end of the job after step'
[[ $(job_value "$job" Restarts) == 1 ]] || fail "expected one requeue"
