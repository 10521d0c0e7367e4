#!/usr/bin/env bash
# background_save_device.sh MPIRUN LYNCEUS ROOT: training on two devices, with a checkpoint of every third step that
# is written while training goes on, and with one that training waits for: both have the same tensors. LYNCEUS runs on
# the stand-in for devices, whose copies run as late as they may.
set -uo pipefail

mpirun=$1 lynceus=$2 root=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LYNCEUS_STANDIN_DEVICES=2

"$lynceus" prepare shapes --seed 5 --count 24 --output "$folder/data" >"$folder/log" || exit 1

train() {  # train NAME MIB PATTERN
  LYNCEUS_FAULT=checkpoint.before_flush@0#2-4=slow "$mpirun" --oversubscribe -n 2 "$lynceus" train \
    --config "$root/tests/data/micro.ini" --run "$folder/$1" --train.steps 8 --train.global_batch_size 2 \
    --data.tokenizer "$root/tests/data/tokenizer/test_model.model" --parallel.data 2 --checkpoint.every 3 \
    --data.source "captions:1:$folder/data/train-captions.h5" --device cuda --transport staged \
    --checkpoint.staging_mib "$2" --checkpoint.keep_last 4 >"$folder/log" 2>&1 && grep -q "$3" "$folder/log" && return
  cat "$folder/log"
  echo "$1: expected exit code 0 and a line with '$3'"
  exit 1
}

tensors() {  # tensors CHECKPOINT: the digests in its manifest
  sed -n '/^"tensors"/,$p' "$1/MANIFEST.json" | grep -o '"name".*'
}

train waited 0 'training waits while a checkpoint is written'
grep -q 'defaults on GPUs: precision bf16, vision.images_per_pass 32' "$folder/log" || {
  cat "$folder/log"
  echo "expected the defaults on GPUs in the log"
  exit 1
}
for seed in 1 2 3; do
  export LYNCEUS_STANDIN_SEED=$seed
  train "beside-$seed" auto 'checkpoints are written while training goes on'
  for step in 3 6 8; do
    checkpoint=checkpoints/step-0000000$step
    [ -n "$(tensors "$folder/waited/$checkpoint")" ] || { echo "no tensors in the manifest of step $step"; exit 1; }
    diff <(tensors "$folder/waited/$checkpoint") <(tensors "$folder/beside-$seed/$checkpoint") && continue
    echo "seed $seed: the checkpoint of step $step differs"
    exit 1
  done
done
