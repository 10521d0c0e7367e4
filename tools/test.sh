#!/usr/bin/env bash
# Builds Lynceus and runs its tests.
#
#   tools/test.sh                      the quick tier: under a minute of tests
#   tools/test.sh --all                every test: about 35 minutes
#   tools/test.sh CTEST ARGUMENTS      chosen from all tests, e.g. -L unit, -R core, -L fuzz
#   tools/test.sh --preset ci ...      another preset than release; comes first
#
# The times are those of two cores; on the slowest machine that was measured two to three times that. The
# build comes first; how long it takes: docs/building.md. The quick tier builds only the programs that it
# runs. The output ends with ctest's, and the exit code is ctest's. The same tests run with
# `ctest --test-dir build/release`.
#
# LYNCEUS_GOLDEN_DIR names a folder with larger reference cases, LYNCEUS_DATA_DIR a folder with photographs
# (coco/captions.jsonl and 82 images). Tests that need them are listed as not run if they are not set.
set -euo pipefail
export PATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release
if [[ "${1:-}" == --preset ]]; then
  preset=${2:?--preset: expected the name of a preset}
  shift 2
fi
target=all
selection=("$@")
case "${1:-}" in
  "")
    target=quick
    selection=(-L quick)
    ;;
  --all) selection=("${@:2}") ;;
  --help)
    sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac

tools/configure.sh "${preset}"
NINJA_STATUS='[%p, %f of %t files, %e s] ' cmake --build "build/${preset}" --target "${target}" \
  --parallel "$(nproc)"
exec ctest --test-dir "build/${preset}" --output-on-failure -j "$(nproc)" "${selection[@]}"
