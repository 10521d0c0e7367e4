#!/usr/bin/env bash
# The rows of the reference cases of generation, decoded with the logits of the oracle's model.
# Exit code 77: no python3 here has torch, or LYNCEUS_GOLDEN_DIR is not set.
#
#   decoding.sh SOURCE_DIR DECODE_ROWS
set -euo pipefail
export PATH LC_ALL=C
source_dir=$1 program=$2
if [[ -z ${LYNCEUS_GOLDEN_DIR:-} ]]; then
  echo "decoding: LYNCEUS_GOLDEN_DIR is not set: not run"
  exit 77
fi

# shellcheck source-path=SCRIPTDIR source=find_python.sh
. "${source_dir}/tests/oracle/find_python.sh"
find_python torch

"${python}" "${source_dir}/tests/oracle/check_decoding.py" "${program}" "${LYNCEUS_GOLDEN_DIR}"
