#!/usr/bin/env bash
# Files that torch writes now, with other values and larger than in tests/data/torch, read back as the same
# tensors. A model trains equally from safetensors, torch files and LLaMA's pieces. Base and delta add up to
# torch's sum bit for bit, and an export reads back as torch would round it.
# Exit code 77: no python3 here has torch.
#
#   oracle_torch.sh SOURCE_DIR TEST_PROGRAM LYNCEUS MPIRUN
set -euo pipefail
export PATH LC_ALL=C
source_dir=$1 program=$2 lynceus=$3 mpirun=$4

# shellcheck source-path=SCRIPTDIR source=find_python.sh
. "${source_dir}/tests/oracle/find_python.sh"
find_python torch

folder=$(mktemp -d)
trap 'rm -rf "${folder}"' EXIT
seed=$((RANDOM + 2))
make_files() {  # make_files DIRECTORY [OPTION...]
  local directory=$1
  shift
  echo "oracle_torch: make_torch_files.py --seed ${seed} $*"
  "${python}" "${source_dir}/tests/oracle/make_torch_files.py" --seed "${seed}" "$@" "${directory}"
}

for scale in 1 3; do
  make_files "${folder}/${scale}" --scale "${scale}"
  LYNCEUS_TORCH_FILES="${folder}/${scale}" "${program}"
done

make_files "${folder}/micro" --micro
"${lynceus}" prepare shapes --seed 5 --count 12 --train-tokenizer 320 --output "${folder}/shapes"
train() {  # train RUN WEIGHTS ENCODER [OPTION...]
  "${mpirun}" --oversubscribe -n 2 "${lynceus}" train --config "${source_dir}/tests/data/micro.ini" \
    --data.tokenizer "${folder}/shapes/tokenizer.model" --parallel.tensor 2 --train.steps 3 \
    --data.source "captions:1:${folder}/shapes/train-captions.h5" --run "${folder}/$1" \
    --model.weights "${folder}/micro/$2" --vision.weights "${folder}/micro/$3" "${@:4}"
  grep -o '"loss": [0-9.e+-]*' "${folder}/$1/metrics.jsonl" >"${folder}/$1.losses"
  [[ $(wc -l <"${folder}/$1.losses") == 3 ]]
}
train safetensors safetensors eva.safetensors
cat "${folder}/safetensors.losses"
for form in bin pieces; do
  train "${form}" "${form}" eva_clip.pt
  diff "${folder}/safetensors.losses" "${folder}/${form}.losses"
done
echo "oracle_torch: bin and pieces train as safetensors do"

check() { "${python}" "${source_dir}/tests/oracle/check_export.py" "$@"; }
check make "${folder}/micro/bin" "${folder}/vicuna"
train delta ../vicuna/base eva_clip.pt --model.weights_delta "${folder}/vicuna/delta"
if diff -q "${folder}/safetensors.losses" "${folder}/delta.losses"; then
  echo "oracle_torch: the delta changed nothing"
  exit 1
fi
for dtype in f32 f16 bf16; do
  out="${folder}/export/${dtype}"
  "${lynceus}" export --checkpoint "${folder}/delta" --output "${out}" --what merged \
    --dtype "${dtype}" --shard-gib 2e-5
  check check "${folder}/vicuna" "${out}" "${dtype}"
  "${lynceus}" export --checkpoint "${folder}/delta" --output "${out}-trainable" --dtype "${dtype}"
  check same "${folder}/export/f32-trainable/model.safetensors" "${out}-trainable/model.safetensors"
done
# Written once, it trains as base and delta do.
train written ../export/f32 eva_clip.pt
diff "${folder}/delta.losses" "${folder}/written.losses"
echo "oracle_torch: base and delta train as their sum, and are exported as torch adds and rounds"
