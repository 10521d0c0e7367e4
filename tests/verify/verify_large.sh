#!/usr/bin/env bash
# verify_large.sh MPIRUN LYNCEUS "T P D" NAME...: both schedules over the cases of that name in
# LYNCEUS_GOLDEN_DIR. Exit code 77 (not run) if that is not set.
set -euo pipefail
if [ -z "${LYNCEUS_GOLDEN_DIR:-}" ]; then
  echo "LYNCEUS_GOLDEN_DIR is not set"
  exit 77
fi
mpirun=$1 lynceus=$2 grid=$3
shift 3
cases=()
for name in "$@"; do cases+=("$LYNCEUS_GOLDEN_DIR/$name"); done
for schedule in gpipe 1f1b; do
  bash "$(dirname "$0")/verify_grids.sh" "$mpirun" "$lynceus" "$grid" "" \
    -- --train.micro_batch_tokens 1 --parallel.schedule "$schedule" -- "${cases[@]}"
done
