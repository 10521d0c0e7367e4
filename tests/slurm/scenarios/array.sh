# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# An array: one run for each config, each with a directory of its own. The run that is stopped is put back into the
# queue alone.
printf '[optimizer]\nlr = 2e-3\n' >fast.ini
printf '[optimizer]\nlr = 5e-4\n' >slow.ini
submit --run runs/array --nodes 1 --array slow.ini,fast.ini -- "${training[@]}" --train.steps 300
wait_for 60 "10 steps" has_steps runs/array/slow 10
scancel --batch --signal=USR1 "${job}_0" || fail "scancel"
job_has_left() { [[ -z $(squeue -h -j "$job" 2>/dev/null) ]]; }
wait_for 120 "end of the array" job_has_left
for variant in slow fast; do expect_finished "runs/array/$variant" 300; done
expect_log runs/array 'stopped on request'
[[ $(cat runs/array/slurm-*.out | grep -c 'start 2, on') == 1 ]] || fail "expected one second start"
[[ $(tail -n 1 runs/array/slow/metrics.jsonl | grep -o '"loss": [^,]*') != \
  "$(tail -n 1 runs/array/fast/metrics.jsonl | grep -o '"loss": [^,]*')" ]] || fail "both configs gave one curve"
