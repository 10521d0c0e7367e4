#!/usr/bin/env bash
# A bundle of this build runs after it was moved, with an empty environment and its own libraries, and
# rehearses the short parts of the GPU kit.
#
#   kit_rehearsal.sh ROOT BUILD_DIRECTORY
set -euo pipefail
root=$1 build=$2
scratch=$(mktemp -d)
trap 'rm -rf "${scratch}"' EXIT
fail() {
  echo "$1"
  exit 1
}
bare() { # bare COMMAND...: without the environment, in the bundle
  (cd "${scratch}/moved" && env -i PATH=/usr/bin:/bin OMP_NUM_THREADS=1 "$@")
}

"${root}/tools/gpu-kit/bundle.sh" --build "${build}" --folder "${scratch}/made"
mv "${scratch}/made" "${scratch}/moved"

# All libraries come from the bundle, except those of C, GCC and CUDA.
loaded=$(bare ./run ldd bin/lynceus)
[[ "${loaded}" != *"not found"* ]] || fail "libraries are missing: ${loaded}"
foreign=$(grep -vE "${scratch}|linux-vdso|ld-linux|/lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|gomp|cudart|cublasLt|nccl)\." \
  <<<"${loaded}" || true)
[[ -z "${foreign}" ]] || fail "libraries from elsewhere than the bundle: ${foreign}"

code=0
bare ./gpu.sh --rehearse --only 'kernels.cast_test' --only 'kernels.adamw_test' --only 'verify.f32.2x2x1' \
  --only 'train.*' --only 'layout.*' "${scratch}/out" || code=$?
((code == 0)) || { tar -C "${scratch}" -xf "${scratch}/out/logs.tar.xz" && tail -n 5 "${scratch}"/logs/*; }
((code == 0)) || fail "the rehearsal: expected exit code 0, found ${code}"
echo "the moved bundle rehearses with an empty environment"
