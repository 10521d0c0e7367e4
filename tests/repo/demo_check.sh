#!/usr/bin/env bash
# The demo removes only its own folder, and it fails if the model has not learned or answers otherwise than scored.
#
#   demo_check.sh ROOT
set -euo pipefail
root=$1
scratch=$(mktemp -d)
trap 'rm -rf "${scratch}"' EXIT
fail() {
  echo "$1"
  exit 1
}

touch "${scratch}/mine"
code=0
"${root}/tools/demo.sh" "${scratch}" >"${scratch}.log" 2>&1 || code=$?
log=$(cat "${scratch}.log") && rm "${scratch}.log"
((code == 2)) || fail "a folder that is not of the demo: expected exit code 2, found ${code}: ${log}"
[[ -e "${scratch}/mine" ]] || fail "a folder that is not of the demo: it was emptied"
[[ "${log}" == *"${scratch}"*"was not made by the demo"* ]] || fail "expected the reason, found '${log}'"

answers() { # answers COLOR COUNTING COUNT
  printf '{"class": "Color", "accuracy": %s, "baseline": 0.25, "count": 300, "loss": 0.1}\n' "$1"
  printf '{"class": "Counting", "accuracy": %s, "baseline": 0.25, "count": 300, "loss": 0.1}\n' "$2"
  printf '{"class": "Spatial", "accuracy": 0.5, "baseline": 0.5, "count": %s, "loss": 0.1}\n' "$3"
}
expect() { # expect CODE MESSAGE ANSWERS...
  local expected=$1 message=$2 found=0 text
  text=$(answers "${@:3}" |
    "${root}/tools/check_demo.sh" "${scratch}/predictions" "${scratch}/answers" 2>&1) || found=$?
  ((found == expected)) || fail "answers ${*:3}: expected exit code ${expected}, found ${found}"
  [[ "${text}" == *"${message}"* ]] || fail "answers ${*:3}: expected '${message}', found '${text}'"
}
printf '{"set": "q", "key": "%s", "right": %s, "log_probability": -1}\n' a true b false >"${scratch}/predictions"
rows() { # rows RIGHT...
  local right
  for right in "$@"; do
    printf '{"question":"\\"right\\": true?","answer_predicted":"x","right":%s}\n' "${right}"
  done >"${scratch}/answers"
}
rows true false
expect 0 "" 0.8 0.65 300
expect 1 "Color has accuracy 0.64" 0.64 0.9 300
expect 1 "Counting has accuracy 0.3" 0.9 0.3 300
expect 1 "Spatial has 299 questions" 0.9 0.9 299
"${root}/tools/check_demo.sh" "${scratch}/predictions" "${scratch}/answers" </dev/null 2>/dev/null &&
  fail "no scores at all were accepted"
rows true true
expect 1 "1 of 2 held-out questions are answered otherwise than scored" 0.8 0.65 300
rows true
expect 1 "1 of 2 held-out questions" 0.8 0.65 300
rows true false false
expect 1 "1 of 3 held-out questions" 0.8 0.65 300
rm "${scratch}/predictions" && touch "${scratch}/predictions" && rows
expect 1 "0 of 0 held-out questions" 0.8 0.65 300
echo "the demo removes only its folder and checks its thresholds"
