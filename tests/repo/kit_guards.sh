#!/usr/bin/env bash
# The GPU kit reports what happened: with a bundle of stand-in programs that pass, fail, hang and print
# figures, and with training runs that differ in one bit. It needs no build.
#
#   kit_guards.sh ROOT
set -euo pipefail
root=$1
scratch=$(mktemp -d)
trap 'rm -rf "${scratch}"' EXIT
fail() {
  echo "$1"
  exit 1
}
export PYTHONDONTWRITEBYTECODE=1

bundle=${scratch}/bundle
mkdir -p "${bundle}/bin" "${bundle}/golden/one"
cp "${root}"/tools/gpu-kit/{gpu.sh,kit.py,plan.py,machine.py,compare_runs.py} "${bundle}/"
touch "${bundle}/golden/one/config.json" "${bundle}"/bin/{kernels_good_test,kernels_bad_test,kernels_slow_test}
echo "0123abcd" >"${bundle}/commit"
cat >"${bundle}/run" <<'END'
#!/usr/bin/env bash
case "$*" in
  kernels_bad_test*) echo "wrong in element 3" && exit 1 ;;
  kernels_slow_test*) sleep 300 & echo $! >slow.pid && wait ;;
  *bench_*) echo "a line of text" && echo '{"samples_per_s": 7.5}' ;;
  *verify*)
    echo "one   loss            5.07e-08    1.0e-05  ok"
    echo "two   loss            4.00e-06    1.0e-05  ok"
    echo "one   untouched parameters, bits   0.00e+00    0.0e+00  ok"
    ;;
esac
END
chmod +x "${bundle}/run"
touch "${bundle}"/bin/bench_{step,attention}

# kit CODE ARGUMENTS...: the output is in ${said}, the report in ${scratch}/out/gpu.json.
kit() {
  local expected=$1 found=0
  shift
  rm -rf "${scratch}/out"
  said=$("${bundle}/gpu.sh" "$@" "${scratch}/out" 2>&1) || found=$?
  ((found == expected)) || fail "gpu.sh $*: expected exit code ${expected}, found ${found}: ${said}"
}
# report EXPRESSION: true of the report r, whose checks are c by name.
report() {
  python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
c = {check["name"]: check for check in r["checks"]}
sys.exit(0 if eval(sys.argv[2]) else 1)' "${scratch}/out/gpu.json" "$1" ||
    fail "expected in the report: $1; found $(cat "${scratch}/out/gpu.json")"
}

kit 0 --rehearse --only 'kernels.good_test' --only 'verify.f32' --only 'layout.*'
report 'c["kernels.good_test"]["status"] == "passed" and r["commit"] == "0123abcd"'
report 'c["layout.mma_ldmatrix"]["status"] == "absent"'
report 'r["device"]["name"] == "rehearsal (CPU)" and r["summary"] == {"passed": 2, "absent": 1}'
report '[f for f in r["figures"] if f["quantity"] == "loss"] == [{"part": "verify.f32",
    "quantity": "loss", "case": "two", "error": 4e-06, "tolerance": 1e-05, "share": 0.4, "verdict": "ok"}]'
[[ $(tar -tf "${scratch}/out/logs.tar.xz") == *logs/kernels.good_test.log* ]] || fail "the logs lack one"

cat >"${bundle}/gpu_figures.py" <<'END'
import json, sys
figures = json.load(open(sys.argv[2]))["figures"]
print(json.dumps({"ratios": [{"ratio": figure["samples_per_s"] / 5} for figure in figures]}))
END
kit 0 --rehearse --only 'figures.*'
report 'r["figures"] == [{"part": "figures.kernels", "samples_per_s": 7.5}]'
report 'r["ratios"] == [{"ratio": 1.5}]'
rm "${bundle}/gpu_figures.py"

kit 1 --rehearse --only 'kernels.bad_test' --only 'kernels.good_test'
report 'c["kernels.bad_test"] == dict(c["kernels.bad_test"], status="failed", exit=1)'
report 'c["kernels.bad_test"]["says"] == "wrong in element 3" and r["summary"]["passed"] == 1'

# When the time is over, the running part is stopped with its child processes, and no other part starts.
kit 1 --rehearse --seconds 1 --last 1 --only 'kernels.slow_test' --only 'verify.f32'
report 'c["kernels.slow_test"]["status"].startswith("over ") and c["kernels.slow_test"]["seconds"] < 15'
report 'c["verify.f32"]["status"] == "not run" and "time was over" in c["verify.f32"]["says"]'
pid=$(cat "${bundle}/slow.pid")
# The process that adopts it may take a while to collect its exit status.
lives() { [[ -r "/proc/${pid}/stat" && "$(sed 's/.*) //' "/proc/${pid}/stat" 2>/dev/null)" != Z* ]]; }
for _ in {1..50}; do
  lives || break
  sleep 0.1
done
! lives || fail "a child process of the stopped part still runs"
kit 3 --rehearse --seconds -1 --only 'verify.f32'

# Without a device there is no report; with one the report has its name and clocks.
mkdir "${scratch}/tools"
printf '#!/bin/sh\nexit 9\n' >"${scratch}/tools/nvidia-smi"
chmod +x "${scratch}/tools/nvidia-smi"
PATH=${scratch}/tools:${PATH}
kit 77
[[ ! -e "${scratch}/out/gpu.json" ]] || fail "a report without a device"
cat >"${scratch}/tools/nvidia-smi" <<'END'
#!/bin/sh
case "$*" in
  *driver_version*) echo "Made Up 1, 580.10, 81559, 4, 345, 2619, 1980, 2619, 700.00, 31, 9.0, Enabled, Disabled" ;;
  *) echo "1755, 2619, 650.50, 60" ;;
esac
END
kit 0 --only 'verify.bf16' --only 'figures.step.224'
report 'r["device"]["name"] == "Made Up 1" and r["device"]["driver_version"] == "580.10"'
report 'r["device"]["clocks.max.sm"] == 1980 and r["device"]["memory.total"] == 81559'
report '"clocks" in c["figures.step.224"] and "clocks" not in c["verify.bf16"]'

# Runs of training.
line() { # line LOSS
  printf '{"step": 1, "samples_seen": 4, "loss": %s, "scored_tokens": 9, "grad_norm": 2.5, ' "$1"
  printf '"lr": 0.1, "step_seconds": 0.%s}\n' "${RANDOM}"
}
run_of() { # run_of NAME LOSS DIGEST
  mkdir -p "${scratch}/$1/checkpoints/step-00000001"
  line "$2" >"${scratch}/$1/metrics.jsonl"
  printf '{"step": 1, "samples_seen": 4, "tensors": [{"name": "w", "blocks": ["%s"]}], ' "$3" \
    >"${scratch}/$1/checkpoints/step-00000001/MANIFEST.json"
  printf '"frozen_weights": {}, "parameter_steps": {"w": 1}, "tokenizer": "t", "digest": "%s"}' \
    "${RANDOM}" >>"${scratch}/$1/checkpoints/step-00000001/MANIFEST.json"
}
compare() { # compare CODE WORDS ARGUMENTS...
  local expected=$1 words=$2 found=0 text
  text=$(cd "${scratch}" && python3 "${root}/tools/gpu-kit/compare_runs.py" "${@:3}" 2>&1) || found=$?
  ((found == expected)) || fail "compare_runs ${*:3}: expected ${expected}, found ${found}: ${text}"
  [[ "${text}" == *"${words}"* ]] || fail "compare_runs ${*:3}: expected '${words}', found '${text}'"
}
run_of first 1.25 aa
run_of same 1.25 aa
run_of bit 1.2500000000000002 aa
run_of other 1.25 ab
run_of far 1.263 aa
run_of nan NaN aa
mkdir "${scratch}/empty" && touch "${scratch}/empty/metrics.jsonl"
compare 0 "1 steps and 1 tensors" equal first same
compare 5 "step 1, loss" equal first bit
compare 5 "tensors differ" equal first other
compare 5 "found none" equal first empty
compare 0 '"worst_step"' track --within 0.01 first bit
compare 5 "1.04% apart" track --within 0.01 first far
compare 5 "step 1" track --within 0.01 first nan
echo "the kit reports what passes, fails, hangs, is absent and differs"
