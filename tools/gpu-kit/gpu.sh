#!/usr/bin/env bash
# Checks and measures Lynceus on a machine with a GPU in less than nine minutes: layout of the matrix unit,
# kernels, reference cases, ranks that share the GPU, training, compute-sanitizer, and benchmarks compared
# with PyTorch. Runs in an unpacked bundle (tools/gpu-kit/bundle.sh makes it).
#
#   ./gpu.sh [OUTPUT FOLDER]              writes gpu.json and logs.tar.xz; default: results/
#   ./gpu.sh --rehearse [OUTPUT FOLDER]   the same on the CPU with small sizes: tests the kit itself
#   ./gpu.sh --help                       every option
#
# Exit code: 0 all parts ran and passed; 1 a part failed; 3 no part failed, but the time was too short for
# all; 77 no device.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! command -v python3 >/dev/null; then
  echo "gpu: expected a python3 (3.8 or newer) on the PATH, found none" >&2
  exit 2
fi
exec env PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 python3 "${here}/kit.py" --bundle "${here}" "$@"
