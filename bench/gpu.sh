#!/usr/bin/env bash
# Checks Lynceus on a machine with a GPU and measures it, from an unpacked bundle (tools/bundle.sh), in
# less than nine minutes: layout of the matrix unit, kernels, reference cases, ranks that share the GPU,
# training, compute-sanitizer, benchmarks beside PyTorch's.
#
#   ./gpu.sh [OUTPUT FOLDER]              gpu.json and logs.tar.xz, in results/ unless told
#   ./gpu.sh --rehearse [OUTPUT FOLDER]   the same script on the CPU, small: is the kit in order?
#   ./gpu.sh --help                       every option
#
# Exit: 0 all was run and is right; 1 something failed; 3 nothing failed, but not all was run in the
# time; 77 no device.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! command -v python3 >/dev/null; then
  echo "gpu: expected a python3 (3.8 or newer) on the PATH, found none" >&2
  exit 2
fi
exec env PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 python3 "${here}/gpu/kit.py" --bundle "${here}" "$@"
