# shellcheck shell=bash disable=SC2034,SC2154 # a part of run.sh
# Ranks on one node always die. After two failures the job leaves the node out, and finishes without it.
cat >program <<END
#!/bin/bash
if [[ \$1 == train && \$SLURMD_NODENAME == n2 ]]; then export LYNCEUS_FAULT=step.before_reduce#4=kill; fi
exec "$lynceus" "\$@"
END
chmod +x program
submit --run runs/bad --program "$PWD/program" -- "${training[@]}" --train.steps 60
wait_for 120 "second start" job_restarted "$job" 1
expect_end "$job" 180
expect_finished runs/bad 60
[[ $(job_value "$job" Restarts) == 2 ]] || fail "expected two requeues, found $(job_value "$job" Restarts)"
[[ $(job_value "$job" ExcNodeList) == n2 ]] || fail "expected n2 to be excluded"
[[ $(cat runs/bad/excluded_nodes) == n2 ]] || fail "expected n2 in excluded_nodes"
[[ $(grep -c '"event":"begin".*"n2"' runs/bad/incarnations.jsonl) == 2 ]] || fail "expected two starts with n2"
