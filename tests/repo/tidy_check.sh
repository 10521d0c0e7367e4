#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy finds nothing in core/ and parallel/; with --all, in the whole
# product (about half an hour on two cores). Exit code 77: not run, no clang-tidy 14.
#
#   tidy_check.sh ROOT BUILD_DIRECTORY [--all]
set -euo pipefail
root=$1 build=$2
folders=(core parallel)
[[ "${3:-}" != --all ]] || folders=(core kernels parallel io src bench)

tidy=
for program in clang-tidy-14 clang-tidy; do
  if [[ "$("${program}" --version 2>/dev/null)" =~ version\ 14\. ]]; then
    tidy=${program}
    break
  fi
done
if [[ -z "${tidy}" ]]; then
  echo "no clang-tidy 14 (Debian 12: clang-tidy): not run"
  exit 77
fi

cd "${root}"
# Only sources that this build compiles: the others are for another device.
mapfile -t files < <(find "${folders[@]}" -name '*.cpp' | sort | while IFS= read -r file; do
  grep -qF "\"file\": \"${PWD}/${file}\"" "${build}/compile_commands.json" && echo "${file}"
done)
if ((${#files[@]} == 0)); then
  echo "${build}/compile_commands.json: expected the sources of ${root}, found none"
  exit 1
fi
# Without GCC's precompiled headers, which clang cannot read.
mkdir -p "${build}/tidy"
sed -E 's/ -include [^ ]*cmake_pch\.hxx//' "${build}/compile_commands.json" \
  >"${build}/tidy/compile_commands.json"
# -w: the warnings of the compiler are GCC's.
code=0
printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" "${tidy}" -p "${build}/tidy" --quiet --warnings-as-errors='*' \
    --extra-arg=-w >"${build}/tidy.log" 2>/dev/null || code=$?
if ((code != 0)); then
  grep -E '(warning|error):' "${build}/tidy.log" | sort -u
  echo "clang-tidy: findings in the sources above (${build}/tidy.log)"
  exit 1
fi
echo "${#files[@]} files without findings"
