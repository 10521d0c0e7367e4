# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Stages by dependency: the second starts from the last checkpoint of the first, after it has ended well, although
# the first was stopped and put back into the queue. A stage after one that failed never starts.
printf '[train]\nsteps = 200\n' >one.ini
printf '[train]\nsteps = 20\n' >two.ini
submit --run runs/stages --stage one.ini,two.ini -- "${training[@]}"
first=${jobs[0]} second=${jobs[1]}
wait_for 60 "10 steps" has_steps runs/stages/one 10
scancel --batch --signal=USR1 "$first" || fail "scancel"
wait_for 60 "second start" job_restarted "$first" 1
[[ $(job_value "$second" JobState) == PENDING ]] || fail "the second stage did not wait"
expect_end "$first" 120
expect_end "$second" 120
expect_finished runs/stages/one 200
expect_finished runs/stages/two 20
grep -qs 'one/checkpoints/step-00000200' runs/stages/two/log/train.log || fail "stage two did not start from stage one"

submit --run runs/broken --stage one.ini,two.ini -- "${training[@]}" --data.tokenizer site.ini
expect_end "${jobs[0]}" 60 FAILED 3:0
wait_for 60 "end of the stage after it" job_has_ended "${jobs[1]}"
[[ $(job_value "${jobs[1]}" JobState) == CANCELLED ]] || fail "the stage after one that failed was not cancelled"
