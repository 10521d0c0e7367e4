#!/usr/bin/env bash
# Every C++ and CUDA source is formatted as .clang-format says; prints the lines that are not.
# Exit code 77: not run, no clang-format 14 (other versions format some lines differently).
#
#   format_check.sh ROOT
set -euo pipefail
cd "$1"
formatter=
for program in clang-format-14 clang-format; do
  if [[ "$("${program}" --version 2>/dev/null)" =~ version\ 14\. ]]; then
    formatter=${program}
    break
  fi
done
if [[ -z "${formatter}" ]]; then
  echo "no clang-format 14 (Debian 12: clang-format): not run"
  exit 77
fi

mapfile -t files < <(find bench core io kernels parallel src tests -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) | sort)
faults=$(printf '%s\0' "${files[@]}" |
  xargs -0 -n 20 -P "$(nproc)" "${formatter}" --dry-run 2>&1 |
  grep -E 'warning: code should be clang-formatted|error:' | sed -E 's/: warning: .*//' | sort -u) || true
if [[ -n "${faults}" ]]; then
  echo "${faults}"
  echo "format: run ${formatter} -i on these files"
  exit 1
fi
echo "${#files[@]} files are formatted"
