#!/usr/bin/env bash
# nvcc compiles every CUDA source for each architecture without errors, warnings and register spills.
#
#   simt_ptxas.sh ROOT NVCC [SOURCE...]     without sources: kernels/cuda/**/*.cu of ROOT
#
# Prints the faults; two jobs at a time. Exit code 77: no nvcc, nothing was checked.
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

# ptxas -v prints "12 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads" after the name of each
# function.
check() {
  local source=$1 architecture=$2 object output messages wrong=0
  object="${objects}/$(basename "${source}").${architecture}.o"
  # nvcc's front end cannot evaluate the compile-time checks of fmt 9.
  output=$("${compiler[@]}" -std=c++20 -arch="${architecture}" -DFMT_CONSTEVAL= \
    -DFMT_USE_CONSTEXPR=1 -I. -Isrc -Ikernels/cuda/hardware -Xcompiler -Wall -Xptxas -v \
    -c "${source}" -o "${object}" 2>&1) || wrong=1
  messages=$(grep -vE '^ptxas info|bytes stack frame' <<<"${output}") || true
  if ((wrong)) || [[ -n "${messages}" ]]; then
    echo "${source}: ${architecture}:"
    echo "${messages}"
    return 1
  fi
  if ! grep -q 'bytes spill stores' <<<"${output}"; then
    echo "${source}: ${architecture}: ptxas reported no function"
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
