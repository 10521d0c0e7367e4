#!/usr/bin/env bash
# Makes a folder that runs Lynceus on another x86-64 Linux without its packages (glibc 2.36 or newer):
# the program, tests and benchmarks of a build, every library they need but the C library and CUDA's,
# Open MPI's runtime, configurations and reference cases. CUDA and NCCL come from the host.
#
#   tools/bundle.sh [--build DIR] [--output FILE.tar.xz]     (build/cuda, build/lynceus-bundle.tar.xz)
#
# Where it is unpacked, `./run lynceus verify golden/left_pad` and `./run mpirun -n 2 lynceus ...` work.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/cuda output=build/lynceus-bundle.tar.xz
while (($# > 0)); do
  case "$1" in
    --build) build=$2 && shift 2 ;;
    --output) output=$2 && shift 2 ;;
    --help)
      sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "bundle: expected --build DIR or --output FILE, found '$1'" >&2
      exit 2
      ;;
  esac
done
[[ -x "${build}/lynceus" ]] || {
  echo "bundle: ${build}/lynceus: expected a build, found none (cmake --build --preset cuda)" >&2
  exit 3
}

name=lynceus
folder=$(mktemp -d)/${name}
trap 'rm -rf "$(dirname "${folder}")"' EXIT
mkdir -p "${folder}"/{bin,lib,golden} "${folder}/openmpi/bin" "${folder}/openmpi/lib"

# What is run: the program, the kernels' tests, the benchmarks.
programs=("${build}/lynceus")
for file in "${build}"/kernels_*_test "${build}"/bench_*; do
  [[ -x "${file}" && -f "${file}" ]] && programs+=("${file}")
done
for file in "${programs[@]}"; do
  strip --strip-unneeded -o "${folder}/bin/$(basename "${file}")" "${file}"
done

# Open MPI's runtime and its plug-ins, which it finds through OPAL_PREFIX.
mpirun=$(readlink -f "$(command -v mpirun)")
cp "${mpirun}" "${folder}/openmpi/bin/mpirun"
cp "$(command -v orted)" "${folder}/openmpi/bin/orted"
plugins=$(ompi_info --path pkglibdir --parsable | sed -n 's/^path:pkglibdir://p')
prefix_share=$(ompi_info --path pkgdatadir --parsable | sed -n 's/^path:pkgdatadir://p')
mkdir -p "${folder}/openmpi/lib/openmpi" "${folder}/openmpi/share"
cp -L "${plugins}"/*.so "${folder}/openmpi/lib/openmpi/"
cp -rL "${prefix_share}" "${folder}/openmpi/share/openmpi"
pmix=$(find /usr/lib -type d -path '*/lib/pmix' 2>/dev/null | head -1)
[[ -z "${pmix}" ]] || cp -rL "${pmix}" "${folder}/lib/pmix"

# Every library they load; the loader, the C library and CUDA's belong to the host.
libraries_of() {
  ldd "$@" 2>/dev/null | awk '$3 ~ /^\// {print $3}' | sort -u
}
host='/(ld-linux|libc|libm|libdl|librt|libpthread|libresolv|libutil|libcuda|libcudart|libcublas|libcublasLt|libnccl|libnvrtc)[.-][^/]*$'
mapfile -t pmix_plugins < <(find "${folder}/lib" -name '*.so')
mapfile -t libraries < <(libraries_of "${programs[@]}" "${folder}"/openmpi/bin/* \
  "${folder}"/openmpi/lib/openmpi/*.so "${pmix_plugins[@]}" | grep -vE "${host}")
for library in "${libraries[@]}"; do
  cp -L "${library}" "${folder}/lib/$(basename "${library}")"
done
find "${folder}/lib" "${folder}/openmpi/lib" -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true

cp -r configs "${folder}/configs"
for case in tests/golden/*/config.json; do
  cp -r "$(dirname "${case}")" "${folder}/golden/"
done
git rev-parse HEAD >"${folder}/commit" 2>/dev/null || echo unknown >"${folder}/commit"
cp bench/gpu.sh "${folder}/gpu.sh"
cat >"${folder}/run" <<'END'
#!/usr/bin/env bash
# run PROGRAM [ARGUMENTS]: a program of this folder (lynceus, bench_step, mpirun ...) with its libraries.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export OPAL_PREFIX="${here}/openmpi" OMPI_MCA_mca_base_component_path="${here}/openmpi/lib/openmpi"
export PMIX_MCA_mca_base_component_path="${here}/lib/pmix" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PATH="${here}/bin:${here}/openmpi/bin:${PATH}"
export LD_LIBRARY_PATH="${here}/lib:${here}/openmpi/lib${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
if [[ "$1" == mpirun ]]; then
  shift
  exec mpirun -x LD_LIBRARY_PATH -x PATH -x OPAL_PREFIX -x OMPI_MCA_mca_base_component_path \
    -x PMIX_MCA_mca_base_component_path --oversubscribe "$@"
fi
exec "$@"
END
chmod +x "${folder}/run"

mkdir -p "$(dirname "${output}")"
tar -C "$(dirname "${folder}")" -c "${name}" | xz -T0 -6 >"${output}"
printf 'bundle: %s, %.1f MB, %d libraries, %d programs\n' "${output}" \
  "$(($(stat -c %s "${output}") / 10000))e-2" "${#libraries[@]}" "${#programs[@]}"
