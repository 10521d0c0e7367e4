# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# A rank dies at the same step in every start. The job is put back into the queue twice, without the node of that rank the
# second time, and a third start fails too: then it is not started again, and ends with exit code 93.
LYNCEUS_FAULT=step.before_reduce@1#4=kill submit --run runs/loop -- "${training[@]}" --train.steps 100
expect_end "$job" 180 FAILED 93:0
[[ $(grep -c '"event":"begin"' runs/loop/incarnations.jsonl) == 3 ]] || fail "expected three starts"
[[ $(job_value "$job" Restarts) == 3 ]] || fail "expected three requeues"
expect_log runs/loop 'crash loop: the last 3 starts'
expect_log runs/loop 'ended by signal 9'
"$lynceus" status runs/loop >status.log || fail "status: $(cat status.log)"
grep -q 'crash loop' status.log || fail "status: $(cat status.log)"
sleep 7 # a job that has been put back would begin
[[ $(job_value "$job" JobState) == FAILED ]] || fail "the job has come back"
