#!/bin/bash
# Adds the checkpoint of a new version of the format to this folder: the first three of the six steps of nano.ini.
#
#     make.sh LYNCEUS NAME     e.g. make.sh build/release/lynceus version-3
#
# To be run with a binary of the version that writes the format, before a later one replaces it. The test
# cli.earlier_checkpoints_test resumes from every checkpoint here.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,7s/^# \?//p' "$0"; exit 2; }
lynceus=$(realpath "$1")
folder=$(dirname "$(realpath "$0")")
target=$folder/$2
[ ! -e "$target" ] || { echo "$target exists"; exit 1; }
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
cd "$folder/../../.."
OMP_NUM_THREADS=1 "$lynceus" train --config tests/data/checkpoints/nano.ini --run "$run/run" --stop-after 3
mkdir "$target"
cp "$run"/run/checkpoints/step-00000003/* "$target/"
du -sb "$target"
