#!/usr/bin/env bash
# Proves that floors_check.sh fires: a clean tree passes, each forbidden include alone is found.
set -euo pipefail
check="$(dirname "${BASH_SOURCE[0]}")/floors_check.sh"
tree=$(mktemp -d)
trap 'rm -rf "${tree}"' EXIT

mkdir -p "${tree}"/{core,src/{model,train,verify,export,prepare,frames,cli},kernels/{cpu,cuda},parallel,io}
plant() { printf '%s\n' "$2" >"${tree}/$1"; }

plant core/a.h '#include <vector>'
plant kernels/a.h '#include "core/a.h"'
plant kernels/cpu/a.cpp '#include <oneapi/dnnl/dnnl.hpp>'
plant kernels/cuda/a.cu '#include <cuda_runtime.h>'
plant parallel/a.cpp '#include <mpi.h>'
plant io/a.cpp $'#include <hdf5.h>\n#include <jpeglib.h>\n#include "parallel/a.h"'
plant src/model/a.h $'#include "io/a.h"\n#include "kernels/a.h"'
plant src/train/a.h '#include "model/a.h"'
plant src/verify/a.h $'#include "model/a.h"\n#include "train/a.h"'
plant src/frames/a.cpp $'#include <libavformat/avformat.h>\n#include "io/a.h"'
plant src/export/a.h '#include "train/a.h"'
plant src/prepare/a.h '#include "io/a.h"'
plant src/cli/a.cpp $'#include "train/a.h"\n#include "verify/a.h"\n#include "prepare/a.h"'
if ! bash "${check}" "${tree}"; then
  echo "a clean tree was refused"
  exit 1
fi

missed=0
must_fire() {
  plant "$1" "$2"
  if bash "${check}" "${tree}" >"${tree}/out" || ! grep -qF "$1:1:" "${tree}/out"; then
    echo "not found: $1 with $2"
    missed=1
  fi
  rm "${tree}/$1"
}
must_fire core/bad.h '#include "kernels/a.h"'
must_fire kernels/bad.h '#include "parallel/a.h"'
must_fire kernels/cpu/bad.cpp '#include "io/a.h"'
must_fire parallel/bad.cpp '#include "io/a.h"'
must_fire io/bad.cpp '#include "kernels/a.h"'
must_fire io/bad.h '#  include <model/a.h>'
must_fire src/model/bad.h '#include "train/a.h"'
must_fire src/train/bad.h '#include "verify/a.h"'
must_fire src/verify/bad.h '#include "cli/a.h"'
must_fire src/train/bad.cpp '#include "cli/a.h"'
must_fire src/prepare/bad.h '#include "train/a.h"'
must_fire src/prepare/bad.cpp '#include "model/a.h"'
must_fire src/export/bad.h '#include "verify/a.h"'
must_fire src/verify/bad.h '#include "export/a.h"'
must_fire core/bad.cpp '#include "a.h"'
must_fire core/bad.cpp '  #include <mpi.h>'
must_fire src/model/bad.cpp '#include <hdf5.h>'
must_fire kernels/bad.cpp '#include <dnnl.hpp>'
must_fire kernels/cpu/bad.cpp '#include <cublas_v2.h>'
must_fire parallel/bad.cpp '#include <nccl.h>'
must_fire src/train/bad.cpp '#include <png.h>'
must_fire io/bad.cpp '#include <libavformat/avformat.h>'
must_fire src/frames/bad.h '#include "train/a.h"'

if bash "${check}" "${tree}/src/model" >/dev/null; then
  echo "not found: a tree without rooms"
  missed=1
fi
((missed == 0)) && echo "every forbidden include is found"
