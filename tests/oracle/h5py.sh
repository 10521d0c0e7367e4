#!/usr/bin/env bash
# Every HDF5 file that Lynceus writes opens in h5py and has the documented contents: dataset shards are
# compared with the rows and images they were made of, a checkpoint with its export.
# Exit code 77: no python3 here has h5py.
#
#   oracle_h5py.sh SOURCE_DIR LYNCEUS MPIRUN
set -euo pipefail
export PATH LC_ALL=C
source_dir=$1 lynceus=$2 mpirun=$3

# shellcheck source-path=SCRIPTDIR source=find_python.sh
. "${source_dir}/tests/oracle/find_python.sh"
find_python h5py
check() { "${python}" "${source_dir}/tests/oracle/check_hdf5.py" "$@"; }

folder=$(mktemp -d)
trap 'rm -rf "${folder}"' EXIT
seed=$((RANDOM + 2))
echo "oracle_h5py: prepare shapes --seed ${seed}"
"${lynceus}" prepare shapes --seed "${seed}" --count 12 --train-tokenizer 320 \
  --output "${folder}/shapes"
check shapes "${folder}/shapes" "${seed}"

photos="${source_dir}/tests/data/photos/captions.jsonl"
ln -s "${source_dir}/tests/data/photos/images" "${folder}"
cat >"${folder}/mixed.jsonl" <<'EOF'
{"image": "images/000000008762.jpg", "question": "Which colors?", "answer": "grün, 緑", "id": "é"}
{"text": "A line without a picture."}
{"images": ["images/000000006818.jpg", "images/000000002473.jpg"], "caption": "two pictures"}
{"frames": ["images/000000229358.jpg", "images/000000229358.jpg"], "captions": ["one", "video"]}
{"question": "Nothing to see?", "answer": "no", "id": 7}
EOF
for rows in "${photos}" "${folder}/mixed.jsonl"; do
  "${lynceus}" prepare jsonl --input "${rows}" --output "${folder}/rows"
  check rows "${folder}/rows/$(basename "${rows}" .jsonl).h5" "${rows}"
done

train() {  # train RUN GRID...
  "${mpirun}" --oversubscribe -n 2 "${lynceus}" train \
    --config "${source_dir}/tests/data/micro.ini" --data.tokenizer "${folder}/shapes/tokenizer.model" \
    --run "${folder}/$1" --train.steps 3 --data.source "captions:1:${folder}/shapes/train-captions.h5" \
    "${@:2}"
  "${lynceus}" export --checkpoint "${folder}/$1" --output "${folder}/$1-export"
  check checkpoint "${folder}/$1/checkpoints/step-00000003" \
    "${folder}/$1-export/model.safetensors"
}
train tensor --parallel.tensor 2
train pipeline --parallel.pipeline 2 --model.train bridge,adapter,llm
echo "oracle_h5py: shards and checkpoints are what h5py reads"
