#!/usr/bin/env bash
# An installed Lynceus runs after it was moved, with its installed configs: it makes data and trains one step in
# a folder outside the source tree.
#
#   install_check.sh CMAKE BUILD_DIRECTORY
set -euo pipefail
cmake=$1
build=$2
prefix=$(mktemp -d)
trap 'rm -rf "${prefix}"' EXIT
fail() {
  echo "$1"
  exit 1
}

"${cmake}" --install "${build}" --prefix "${prefix}/first" >"${prefix}/log" ||
  { cat "${prefix}/log"; exit 1; }
mv "${prefix}/first" "${prefix}/second"
lynceus=${prefix}/second/bin/lynceus
configs=${prefix}/second/share/lynceus/configs

# Its libraries are found relative to the program, and none in the build tree.
runpath=$(readelf -d "${lynceus}" | sed -nE 's/.*\((RUNPATH|RPATH)\).*\[(.*)\]/\2/p')
[[ "${runpath}" == "\$ORIGIN/../lib" ]] ||
  fail "RUNPATH: expected \$ORIGIN/../lib, found '${runpath}'"

mkdir "${prefix}/elsewhere"
cd "${prefix}/elsewhere"
help=$("${lynceus}" --help)
[[ "${help}" == *lynceus* ]] || fail "lynceus --help: expected a help page, found '${help}'"
if [[ -x "${build}/lynceus-frames" ]]; then
  version=$("${prefix}/second/bin/lynceus-frames" --version) || fail "lynceus-frames: not installed"
  [[ "${version}" == "lynceus-frames 1" ]] || fail "lynceus-frames --version: found '${version}'"
fi
if [[ -x "${build}/lynceus-judge" ]]; then
  help=$("${prefix}/second/bin/lynceus-judge" --help) || fail "lynceus-judge: not installed"
  [[ "${help}" == *lynceus-judge* ]] || fail "lynceus-judge --help: found '${help}'"
fi
"${lynceus}" prepare shapes --count 8 --seed 1 --output data --train-tokenizer 300 >log 2>&1 ||
  { cat log; fail "prepare shapes failed"; }
"${lynceus}" train --config "${configs}/model/tiny.ini" --data.tokenizer data/tokenizer.model \
  --data.source 'color:1:data/train-Color.h5' --data.prompt vicuna --data.caption_prompts vqa \
  --train.steps 1 --train.global_batch_size 4 --run run >log 2>&1 || { cat log; fail "train failed"; }
[[ -d run/checkpoints/step-00000001 ]] || fail "train: expected a checkpoint of step 1, found none"
echo "the installed program runs after it was moved"
