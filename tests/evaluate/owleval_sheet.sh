#!/usr/bin/env bash
# A rater fills a sheet of OwlEval that the program wrote, with the program of the page itself, and the
# program reads the filled sheet. Exit code 77: not run, no node.
#
#   owleval_sheet.sh LYNCEUS SOURCE
set -euo pipefail
command -v node >/dev/null || { echo "no node (Debian: nodejs): not run"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "${work}"' EXIT
for id in {1..13}; do
  printf '{"question_id": %d, "question": "Which?", "image": "%d.jpg"}\n' "${id}" "${id}" >>"${work}/questions.jsonl"
  for model in first second third; do
    printf '{"question_id": %d, "answer": "the %s one"}\n' "${id}" "${model}" >>"${work}/${model}.jsonl"
  done
done
evaluate() {
  "$1" evaluate owleval --answers "${work}"/{first,second,third}.jsonl --questions "${work}/questions.jsonl" --seed 5 "${@:2}"
}
evaluate "$1" --sheet "${work}/sheet.html" --images none >/dev/null
node "$2/tests/evaluate/owleval_sheet.js" "${work}/sheet.html" "${work}/filled.json"
scores=$(evaluate "$1" --ratings "${work}/filled.json" --items "${work}/items.jsonl")
[[ "${scores}" == *'"raters":["Anna B."]'* ]] || { echo "no rating was read: ${scores}"; exit 1; }

# The first question was given 3, 3 and 1 in the order of the sheet.
first=$(grep '"id": "1"' "${work}/items.jsonl" | grep -o '"value": [0-9.]*' | sort | tr '\n' ' ')
[[ "${first}" == '"value": 1.0 "value": 3.0 "value": 3.0 ' ]] || { echo "other scores: ${first}"; exit 1; }
