# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# A job over two nodes, started by srun; an error that needs a person ends the job with its exit code; a job that is
# cancelled saves its steps and does not come back.
submit --run runs/srun -- "${training[@]}" --train.steps 20
submit_srun=$job
submit --run runs/wrong -- "${training[@]}" --data.tokenizer site.ini
expect_end "$submit_srun" 120
expect_finished runs/srun 20
expect_log runs/srun 'computing on 4 x CPU'
[[ $(job_value "$submit_srun" NumNodes) == 2 ]] || fail "expected 2 nodes"
expect_end "$job" 60 FAILED 3:0
[[ $(job_value "$job" Restarts) == 0 ]] || fail "exit code 3 was put back into the queue"

submit --run runs/cancelled -- "${training[@]}" --train.steps 100000
wait_for 60 "10 steps" has_steps runs/cancelled 10
scancel "$job"
expect_end "$job" 60 CANCELLED '*'
expect_finished runs/cancelled "$(steps_of runs/cancelled)"
expect_log runs/cancelled 'stopped on request after step'
cancelled=$job

# The file STOP ends a job for good.
submit --run runs/ended -- "${training[@]}" --train.steps 100000
wait_for 60 "10 steps" has_steps runs/ended 10
touch runs/ended/STOP
expect_end "$job" 60 FAILED 75:0
expect_finished runs/ended "$(steps_of runs/ended)"
expect_log runs/ended 'stopped by runs/ended/STOP: the job ends'
sleep 3 # a job that has been put back would begin
[[ $(job_value "$cancelled" JobState) == CANCELLED ]] || fail "the cancelled job has come back"
[[ $(job_value "$job" JobState) == FAILED ]] || fail "the job that STOP has ended has come back"
