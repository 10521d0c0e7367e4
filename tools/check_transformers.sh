#!/usr/bin/env bash
# Compares Lynceus with Hugging Face transformers. A random LLaMA that transformers saved (f32 and bf16, with and
# without grouped heads, tied, with scaled positions, in several files) trains here and is exported again with the
# same bits. transformers loads the export; its logits equal ours within 1e-4, its loss and gradients within the
# tolerances of `verify`.
# The exported tokenizer gives the ids of SentencePiece in transformers 4.38 and 5.
# Installs transformers from PyPI into its own folder, on top of Debian's python3-torch.
# Exit code 77: not run, because one of them is missing.
#
#   tools/check_transformers.sh [LYNCEUS] [VENV]     VENV and VENV-5 are kept and reused
set -euo pipefail
export PATH LC_ALL=C OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lynceus=${1:-${root}/build/release/lynceus}
folder=$(mktemp -d)
trap 'rm -rf "${folder}"' EXIT
venv=${2:-${folder}/venv}

if ! /usr/bin/python3 -c 'import torch, venv' 2>/dev/null; then
  echo "check_transformers: /usr/bin/python3 has no torch (Debian: python3-torch python3-venv): not run"
  exit 77
fi
python=${venv}/bin/python
if [[ ! -e ${venv}/installed ]]; then
  /usr/bin/python3 -m venv --system-site-packages "${venv}"
  # The last transformers for Debian's torch 1.13.
  if ! "${python}" -m pip install -q 'transformers==4.38.2' safetensors 'numpy<2' sentencepiece \
    protobuf; then
    echo "check_transformers: PyPI cannot be reached: not run"
    exit 77
  fi
  touch "${venv}/installed"
fi
newer=${venv}-5
if [[ ! -e ${newer}/installed ]]; then  # without torch: only its tokenizer is used
  /usr/bin/python3 -m venv "${newer}"
  if ! "${newer}/bin/python" -m pip install -q 'transformers>=5' sentencepiece protobuf tiktoken; then
    echo "check_transformers: PyPI cannot be reached: not run"
    exit 77
  fi
  touch "${newer}/installed"
fi
check() { "${python}" "${root}/tests/oracle/check_transformers.py" "$@"; }

"${lynceus}" prepare shapes --seed 5 --count 12 --train-tokenizer 320 --output "${folder}/shapes"
number=0
for form in 'f32 4 4 {}' 'f32 4 2 {}' 'bf16 4 2 {}' 'f32 4 2 {"tie_word_embeddings":true}' \
  'f32 4 4 {"rope_scaling":{"type":"linear","factor":2.0}}'; do
  place=${folder}/$((++number))
  read -r dtype heads kv_heads more <<<"${form}"
  echo "check_transformers: ${dtype}, ${heads} heads, ${kv_heads} key/value heads, ${more}"
  check save "${place}/saved" "${dtype}" "${heads}" "${kv_heads}" "${more}"
  "${lynceus}" train --config "${root}/tests/data/micro.ini" --run "${place}/run" --train.steps 1 \
    --data.tokenizer "${folder}/shapes/tokenizer.model" --log.level warn \
    --data.source "captions:1:${folder}/shapes/train-captions.h5" --model.weights "${place}/saved"
  "${lynceus}" export --checkpoint "${place}/run" --output "${place}/merged" --what merged
  check judge "${place}/saved" "${place}/merged" "${root}/tests/golden/text_only" "${place}/case"
  "${lynceus}" verify "${place}/case"
  for version in "${python}" "${newer}/bin/python"; do
    "${version}" "${root}/tests/oracle/check_tokenizer.py" "${place}/merged"
  done
done
echo "check_transformers: equal to transformers"
