#!/usr/bin/env bash
# Kernels use the machine only through simt.h, so that they run on the host too.
#
#   simt_lint.sh ROOT     prints every line of kernels/cuda, outside hardware/, that does not; exit code 1
#                         if there is one
#
# Names with two underscores belong to the compiler. Those are allowed that a host compiler has with the
# headers of the toolkit.
set -euo pipefail
export LC_ALL=C

passing='__(global__|launch_bounds__|restrict__|nv_bfloat16|nv_bfloat162'
passing+='|(bfloat16|bfloat162|float|floats|float2|low|high|halves)2(float|float2|bfloat16|bfloat162)(_rn)?)$'

cd "$1"
if [[ ! -d kernels/cuda ]]; then
  echo "$1: expected kernels/cuda, found none"
  exit 1
fi

faults=0
complain() {
  echo "$1: $2 belongs into kernels/cuda/hardware/simt.h"
  faults=$((faults + 1))
}

files=0
while IFS= read -r file; do
  files=$((files + 1))
  number=0
  while IFS= read -r line || [[ -n "${line}" ]]; do
    number=$((number + 1))
    line=${line%%//*}
    if [[ "${line}" == *'<<<'* ]]; then complain "${file}:${number}" '<<<'; fi
    for token in asm volatile cooperative_groups nvcuda; do
      [[ "${line}" =~ (^|[^A-Za-z0-9_])${token}($|[^A-Za-z0-9_]) ]] &&
        complain "${file}:${number}" "${token}"
    done
    while [[ "${line}" =~ (^|[^A-Za-z0-9_])((__|atomic[A-Z])[A-Za-z0-9_]*)(.*)$ ]]; do
      name=${BASH_REMATCH[2]}
      line=${BASH_REMATCH[4]}
      [[ "${name}" =~ ^${passing} ]] || complain "${file}:${number}" "${name}"
    done
  done <"${file}"
done < <(find kernels/cuda -path kernels/cuda/hardware -prune -o \
  -type f \( -name '*.cu' -o -name '*.cuh' -o -name '*.h' -o -name '*.cpp' \) -print | sort)

if ((faults > 0)); then
  echo "${faults} places do not use simt.h"
  exit 1
fi
echo "${files} files use the machine only through simt.h"
