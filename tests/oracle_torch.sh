#!/usr/bin/env bash
# What torch writes now, with other numbers and larger than in tests/data/torch, reads back as the
# same tensors. Exit code 77: no python3 here has torch.
#
#   oracle_torch.sh SOURCE_DIR TEST_PROGRAM
set -euo pipefail
export PATH LC_ALL=C
source_dir=$1
program=$2

python=
for candidate in python3 /usr/bin/python3; do
  if "${candidate}" -c 'import torch' 2>/dev/null; then
    python=${candidate}
    break
  fi
done
if [[ -z "${python}" ]]; then
  echo "oracle_torch: no python3 with torch (Debian: python3-torch): not run"
  exit 77
fi

folder=$(mktemp -d)
trap 'rm -rf "${folder}"' EXIT
for scale in 1 3; do
  seed=$((RANDOM + 2))
  echo "oracle_torch: --seed ${seed} --scale ${scale}"
  "${python}" "${source_dir}/tests/oracle/make_torch_files.py" --seed "${seed}" \
    --scale "${scale}" "${folder}/${scale}"
  LYNCEUS_TORCH_FILES="${folder}/${scale}" "${program}"
done
