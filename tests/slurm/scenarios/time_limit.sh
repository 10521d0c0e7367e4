# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of run.sh
# The time limit: Slurm asks for a checkpoint, the job goes back into the queue, its next start leaves out the nodes
# of RUN/excluded_nodes, and the curve equals that of a run without a limit. Slurm looks at the limits every 30 s from
# its start; the job begins 10 s before that, and has work for 18 s of an idle machine.
submit --run runs/speed -- "${training[@]}" --train.steps 150
expect_end "$job" 120
rate=$(grep -ohE '[0-9.]+ steps/s' runs/speed/slurm-*.out | tail -n 1 | cut -d' ' -f1)
steps=$(awk -v rate="$rate" 'BEGIN {print int(18 * rate)}')
submit --run runs/whole -- "${training[@]}" --train.steps "$steps"
whole=$job
until (((EPOCHSECONDS - $(stat -c %Y slurm/slurmctld.pid)) % 30 == 19)); do sleep 0.2; done
# Another job has a rank that waits for ever: Slurm kills it at the limit, before the watchdog does. It is not lost for that.
submit_text '[[ ${SLURM_RESTART_COUNT:-0} != 0 ]] || export LYNCEUS_FAULT=step.before_reduce#3=hang' --run runs/killed \
  --nodes 1 --ranks-per-node 1 --time 1 --signal-seconds 50 -- "${training[@]}" --train.steps 8 --watchdog.step 300
killed=$job
submit --run runs/limited --time 1 --signal-seconds 50 -- "${training[@]}" --train.steps "$steps"
wait_for 60 "first step" has_steps runs/limited 1
node=$(scontrol show hostnames "$(job_value "$job" NodeList)" | tail -n 1)
echo "$node" >runs/limited/excluded_nodes
wait_for 70 "second start" job_restarted "$job" 1
expect_end "$job" 200
expect_end "$whole" 200
expect_log runs/limited 'exit code 75, back into the queue'
excluded=$(job_value "$job" ExcNodeList)
[[ $excluded == "$node" ]] || fail "expected the excluded node $node, found $excluded"
scontrol show hostnames "$(job_value "$job" NodeList)" | grep -qx "$node" && fail "$node was used again"
expect_equal runs/whole runs/limited "$steps"
expect_end "$killed" 100
expect_finished runs/killed 8
expect_log runs/killed 'the time limit has passed before the ranks have saved'
[[ $(job_value "$killed" Restarts) == 1 ]] || fail "expected one requeue"
grep -q 'the end of the job has come' runs/killed/log/train.log || fail "the log of the killed run does not say why"
grep -q 'when its job ended at' runs/killed/incarnations.jsonl || fail "the record of the killed run does not say why"
