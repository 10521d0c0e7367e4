#!/usr/bin/env bash
# Lynceus from data to answers in a few minutes on two cores: generates images of shapes with texts, trains a
# tiny LLaMA on the texts and freezes it, trains stage 1 on captions and stage 2 on questions, lets the model
# answer held-out questions, and compares its accuracy with always giving the most frequent answer. All ranks
# are 2 tensor x 2 pipeline.
#
#   tools/demo.sh [FOLDER]        default: runs/demo; emptied first if an earlier demo made it
#
# FOLDER/answers.html shows the answers with their pictures. The last lines are JSON: one per question class,
# then the seconds without packages and build. Exit code: 1 if the model has not learned or answers something
# else than its scores say (tools/check_demo.sh), 2 if FOLDER is not a folder of the demo.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=${1:-$root/runs/demo}
marker=$demo/made-by-lynceus-demo
if [ -e "$demo" ] && [ ! -e "$marker" ] && [ -n "$(ls -A "$demo")" ]; then
  echo "demo: $demo is not empty and was not made by the demo: expected another folder" >&2
  exit 2
fi

# CPU seconds of a build from nothing on the slowest machine that was measured.
readonly build_seconds=900
cd "$root"
if [ ! -x build/release/lynceus ]; then
  printf 'demo: first builds Lynceus: up to %d minutes on the %d cores of this machine, only the first time\n' \
    $(((build_seconds / $(nproc) + 59) / 60)) "$(nproc)"
  echo "demo: then generates data, trains and tests: 3 to 7 minutes"
fi
[ -f build/release/build.ninja ] || tools/configure.sh release
NINJA_STATUS='[build: %p, %f of %t files, %e s] ' cmake --build build/release --target lynceus
lynceus=$root/build/release/lynceus

begin=$(date +%s.%N)
rm -rf "$demo"
mkdir -p "$demo"
touch "$marker"
data=$demo/data

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
say() { printf '\n== %s\n' "$*"; }
train() {
  mpirun --oversubscribe -n 4 "$lynceus" train --config configs/model/tiny.ini \
    --data.tokenizer "$data/tokenizer.model" --data.augment false \
    --parallel.tensor 2 --parallel.pipeline 2 --train.global_batch_size 64 --log.every 50 "$@"
}

say "Data: images of colored shapes, with captions and questions"
"$lynceus" prepare shapes --count 6000 --seed 1 --output "$data" --train-tokenizer 300
"$lynceus" prepare shapes --count 300 --seed 1 --split validation --output "$data"

say "Backbone: a tiny LLaMA is trained on text only"
train --run "$demo/backbone" --model.train llm --adapter.every 0 --model.init_std 0.02 \
  --data.source "text:1:$data/train-text.h5" \
  --optimizer.lr 3e-3 --optimizer.warmup_start_lr 3e-4 --train.steps 120

say "Stage 1: the backbone is frozen; resampler and adapters are trained on captions"
train --run "$demo/stage1" --model.init_from "$demo/backbone/checkpoints/step-00000120" \
  --data.source "captions:1:$data/train-captions.h5" \
  --optimizer.lr 2e-3 --optimizer.warmup_start_lr 2e-4 --train.steps 200

say "Stage 2: starts from stage 1, is trained on questions"
train --run "$demo/stage2" --model.init_from "$demo/backbone/checkpoints/step-00000120" \
  --init "$demo/stage1/checkpoints/step-00000200" \
  --data.source "questions:1:$data/train-[COS]*.h5" \
  --optimizer.lr 2e-3 --optimizer.warmup_start_lr 2e-4 --train.steps 700

questions="questions:$data/validation-[COS]*.h5"
say "Held-out questions: the model answers them; $demo/answers.html shows them with their pictures"
mpirun --oversubscribe -n 4 "$lynceus" generate --run "$demo/stage2" \
  --parallel.tensor 2 --parallel.pipeline 2 --generate.batch_size 64 \
  --data.validation "$questions" --output "$demo/answers.jsonl"
"$lynceus" evaluate heldout --answers "$demo/answers.jsonl" --format table \
  --sheet "$demo/answers.html" --pictures "$questions" | sed '/^protocol/,$d'

say "The share of exact answers; baseline: always the most frequent answer"
mpirun --oversubscribe -n 4 "$lynceus" evaluate --run "$demo/stage2" \
  --parallel.tensor 2 --parallel.pipeline 2 \
  --data.validation "$questions" | tee "$demo/scores.jsonl"
awk -v begin="$begin" -v end="$(date +%s.%N)" 'BEGIN {printf "{\"demo_seconds\": %.1f}\n", end - begin}'
"$root/tools/check_demo.sh" "$demo/stage2/predictions.jsonl" "$demo/answers.jsonl" <"$demo/scores.jsonl"
