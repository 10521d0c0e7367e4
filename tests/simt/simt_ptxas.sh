#!/usr/bin/env bash
# Every CUDA source by nvcc, for each architecture: no errors, no warnings, no registers spilled.
#
#   simt_ptxas.sh ROOT NVCC [SOURCE...]     without sources: kernels/cuda/**/*.cu of ROOT
#
# Prints what is wrong; two jobs at a time. Exit 77: there is no nvcc, nothing was checked.
set -euo pipefail
export LC_ALL=C

nvcc=$2
if ! command -v "${nvcc}" >/dev/null; then
  echo "not run: no nvcc"
  exit 77
fi
cd "$1"
sources=("${@:3}")
if ((${#sources[@]} == 0)); then
  mapfile -t sources < <(find kernels/cuda -name '*.cu' | sort)
fi
if ((${#sources[@]} == 0)); then
  echo "$1: expected CUDA sources, found none"
  exit 1
fi

# The words of ptxas -v: "12 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads" behind the
# name of each function.
check() {
  local source=$1 architecture=$2 object output told wrong=0
  object="${objects}/$(basename "${source}").${architecture}.o"
  # fmt 9's compile-time checks are beyond nvcc's front end.
  output=$("${compiler[@]}" -std=c++20 -arch="${architecture}" -DFMT_CONSTEVAL= \
    -DFMT_USE_CONSTEXPR=1 -I. -Isrc -Ikernels/cuda/hardware -Xcompiler -Wall -Xptxas -v \
    -c "${source}" -o "${object}" 2>&1) || wrong=1
  told=$(grep -vE '^ptxas info|bytes stack frame' <<<"${output}") || true
  if ((wrong)) || [[ -n "${told}" ]]; then
    echo "${source}: ${architecture}:"
    echo "${told}"
    return 1
  fi
  if ! grep -q 'bytes spill stores' <<<"${output}"; then
    echo "${source}: ${architecture}: ptxas told of no function"
    return 1
  fi
  awk -v place="${source}: ${architecture}" '
    /Function properties for/ { name = $NF }
    /bytes spill stores/ && !/ 0 bytes spill stores, 0 bytes spill loads/ {
      print place ": " name ":" $0
      spills = 1
    }
    END { exit spills }' <<<"${output}"
}

objects=$(mktemp -d)
trap 'rm -rf "${objects}"' EXIT
compiler=("${nvcc}")
if command -v ccache >/dev/null; then compiler=(ccache "${nvcc}"); fi

faults=0
jobs=()
finish() {
  wait "${jobs[0]}" || faults=$((faults + 1))
  jobs=("${jobs[@]:1}")
}
for source in "${sources[@]}"; do
  for architecture in sm_80 sm_90a; do
    if ((${#jobs[@]} == 2)); then finish; fi
    check "${source}" "${architecture}" &
    jobs+=($!)
  done
done
while ((${#jobs[@]} > 0)); do finish; done

if ((faults > 0)); then
  echo "${faults} of $((2 * ${#sources[@]})) compilations have faults"
  exit 1
fi
echo "${#sources[@]} sources compile for sm_80 and sm_90a, without warnings and spills"
