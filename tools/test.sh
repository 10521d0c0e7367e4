#!/usr/bin/env bash
# Builds Lynceus with warnings as errors and runs its tests.
#
#   tools/test.sh [CTEST ARGUMENTS]      e.g. tools/test.sh -L unit, tools/test.sh -R core
#
# Reference cases that are too large for the repository are found through LYNCEUS_GOLDEN_DIR; when it
# is not set, their tests are listed as not run. LYNCEUS_DATA_DIR is a folder with coco/captions.jsonl
# and its pictures (82 photographs of five captions): where it is set, training is tested on them too,
# not only on the six of tests/data/photos. The last output and the exit code are ctest's.
set -euo pipefail
export PATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/setup.sh
cmake --preset ci
cmake --build --preset ci --parallel "$(nproc)"
exec ctest --test-dir build/release --output-on-failure -j "$((2 * $(nproc)))" "$@"
