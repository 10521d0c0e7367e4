#!/usr/bin/env bash
# Pictures of more than 200 kinds decode to the pixels of Pillow's convert("RGB").
# Exit code 77: no python3 here has Pillow.
#
#   pillow.sh SOURCE_DIR DECODE_PICTURES
set -euo pipefail
export PATH LC_ALL=C
source_dir=$1 program=$2

# shellcheck source-path=SCRIPTDIR source=find_python.sh
. "${source_dir}/tests/oracle/find_python.sh"
find_python PIL

folder=$(mktemp -d)
trap 'rm -rf "${folder}"' EXIT
"${python}" "${source_dir}/tests/oracle/check_pictures.py" "${folder}" "${program}"
