#!/usr/bin/env bash
# Compares what `lynceus submit --dry-run` prints with slurm/*.sbatch and with golden/: one file for each form, the
# difference from the text of the same kind in slurm/. Each text must pass shellcheck.
#
#   texts.sh LYNCEUS SOURCE_DIRECTORY [--update]     --update writes slurm/ and golden/
# shellcheck disable=SC1003,SC2016 # values that a shell would expand
set -u
lynceus=$(realpath "$1")
cd "$2" || exit 1
update=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() {
  echo "$*"
  faults=$((faults + 1))
}

# text_of FILE OPTION...: the text, also given to shellcheck; the calls of sbatch in FILE.calls.
text_of() {
  local file=$1
  shift
  "$lynceus" submit --dry-run --program build/release/lynceus "$@" >"$file" 2>"$file.calls" ||
    fault "submit $*: $(cat "$file.calls")"
  if command -v shellcheck >/dev/null; then
    shellcheck -s bash "$file" >"$work/shellcheck" || fault "submit $*: shellcheck: $(cat "$work/shellcheck")"
  fi
}

# same EXPECTED FOUND WHAT
same() {
  if [[ $update == --update ]]; then cp "$2" "$1"; fi
  diff "$1" "$2" >"$work/difference" && return
  fault "$3 differs from $1 (\`tests/slurm/texts.sh LYNCEUS . --update\` writes it): $(head -n 20 "$work/difference")"
}

template() {
  local kind=$1
  shift
  text_of "$work/$kind" "$@"
  same "slurm/$kind.sbatch" "$work/$kind" "submit $*"
}
template train
template stages --stage pretrain-224,pretrain-420,finetune-420
template ablation --array lynx-llama-7b,lynx-vicuna-7b
template scaling --nodes 1,2,4,8

form() {
  local name=$1 kind=$2
  shift 2
  text_of "$work/$name" "$@"
  {
    diff "$work/$kind" "$work/$name" | grep '^[<>]'
    grep '^not called: ' "$work/$name.calls" # not what `train` would refuse
  } >"$work/$name.golden"
  same "tests/slurm/golden/$name" "$work/$name.golden" "submit $*"
}
site=(--account phys --partition gpu_long --time 2-12:00:00 --memory 480G --sbatch=--qos=long
  "--sbatch=--constraint=[rack1|rack2]" --modules openmpi/4.1 cuda --interface ib0 --nics mlx5_0:1 mlx5_1:1)
form mpirun train --launcher mpirun
form cray train --launcher cray --nodes 16
form container train --container "images/lynceus 1.sif"
form cpu train --gpus-per-node 0 --ranks-per-node 2 --cores-per-rank 32
form site train "${site[@]}" --run runs/a --name a --signal-seconds 900
form spare train --spare-nodes 1 --nodes 4
form quotes train --run "runs/it's \$HOME" -- --config tiny --data.source 'a b:1:$(touch x)/*.h5' '--x="`y`\'
form site_stages stages "${site[@]}" --launcher mpirun --run runs/b --stage pretrain-224,finetune-420 -- --config tiny
form site_ablation ablation "${site[@]}" --container c.sif --run runs/c --array configs/model
form site_scaling scaling "${site[@]}" --launcher cray --run runs/d --nodes 2,4 --sweep-steps 20

command -v shellcheck >/dev/null || echo "no shellcheck: tools/setup.sh --checkers installs it"
echo "$faults faults"
[[ $faults == 0 ]]
