#!/usr/bin/env bash
# Checks that the model of the demo has learned: accuracy of Color and Counting at least 0.4 above always giving
# the most frequent answer, and at least 300 questions per class. And that it answers what its scores say: each
# answer of `lynceus generate` is right where `lynceus evaluate` counts it as right, in the same order.
#
#   tools/check_demo.sh PREDICTIONS ANSWERS <SCORES
#
# PREDICTIONS and SCORES are of `lynceus evaluate`, ANSWERS of `lynceus generate`. Exit code 1 and one line if not.
set -euo pipefail

rights() { # rights FILE: the words true and false of its rows
  grep -oE '"right": ?(true|false)' "$1" | grep -oE '[a-z]+$' || true
}
difference=$(paste -d ' ' <(rights "$1") <(rights "$2") | awk '
  $1 != $2 {++different}
  END {if (NR == 0 || different) printf "%d of %d held-out questions are answered otherwise than scored", different, NR}')
if [ -n "$difference" ]; then
  echo "demo: $difference" >&2
  exit 1
fi

awk '
  function number(key) {
    return match($0, "\"" key "\": [-0-9.e+]+") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 4) : -1
  }
  function complain(text) { faults = faults (faults ? "; " : "") text }
  match($0, /"class": "[^"]*"/) {
    class = substr($0, RSTART + 10, RLENGTH - 11)
    seen[class] = 1
    if (number("count") < 300)
      complain(class " has " number("count") " questions, expected 300 at least")
    if ((class == "Color" || class == "Counting") && number("accuracy") - number("baseline") < 0.4)
      complain(class " has accuracy " number("accuracy") ", expected 0.4 above " number("baseline"))
  }
  END {
    if (!seen["Color"]) complain("expected the class Color, found none")
    if (!seen["Counting"]) complain("expected the class Counting, found none")
    if (faults) {
      print "demo: " faults >"/dev/stderr"
      exit 1
    }
  }'
