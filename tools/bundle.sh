#!/usr/bin/env bash
# Makes a folder that runs Lynceus on another x86-64 Linux without its packages (glibc 2.36 or newer):
# the program, its tests that use a device and the benchmarks of a build, every library they need but
# the C library and CUDA's, Open MPI's runtime, configurations, reference cases, and the kit that checks
# and measures a GPU (bench/gpu.sh). CUDA and NCCL come from the host.
#
#   tools/bundle.sh [--build DIR] [--output FILE.tar.xz]     (build/cuda, build/lynceus-bundle.tar.xz)
#   tools/bundle.sh [--build DIR] --folder DIR               the folder alone, which must not be there
#
# Where it is unpacked, `./run lynceus verify golden/left_pad`, `./run mpirun -n 2 lynceus ...` and
# `./gpu.sh` work. More than 35 MB is an error: places that lend a GPU take little more.
set -euo pipefail
export LC_ALL=C

build=build/cuda output=build/lynceus-bundle.tar.xz target=
caller=$PWD
while (($# > 0)); do
  case "$1" in
    --build | --output | --folder)
      (($# > 1)) || { echo "bundle: $1: expected a value, found none" >&2 && exit 2; }
      value=$2
      [[ "${value}" == /* ]] || value=${caller}/${value}
      case "$1" in
        --build) build=${value} ;;
        --output) output=${value} ;;
        --folder) target=${value} ;;
      esac
      shift 2
      ;;
    --help)
      sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "bundle: expected --build DIR, --output FILE or --folder DIR, found '$1'" >&2
      exit 2
      ;;
  esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly largest_bytes=35000000 name=lynceus

[[ -x "${build}/lynceus" ]] || {
  echo "bundle: ${build}/lynceus: expected a build, found none (cmake --build --preset cuda)" >&2
  exit 3
}
[[ -z "${target}" || ! -e "${target}" ]] || {
  echo "bundle: ${target}: expected nothing there, found something" >&2
  exit 2
}
scratch=$(mktemp -d)
trap 'rm -rf "${scratch}"' EXIT
folder=${scratch}/${name}
mkdir -p "${folder}"/{bin,lib,share/lynceus} "${folder}"/openmpi/{bin,lib,share}

# What is run: the program, the benchmarks, and of the tests those that run on a device: the others
# tell nothing new of another machine. CPUs are measured where there are packages.
programs=()
absent=()
take() { # take PROGRAM...
  local program
  for program in "$@"; do
    if [[ -x "${build}/${program}" ]]; then
      programs+=("${build}/${program}")
      strip --strip-all -o "${folder}/bin/${program}" "${build}/${program}"
    else
      absent+=("${program}")
    fi
  done
}
take lynceus train_grid_law_mpi8_test train_step_mpi8_test
for source in bench/bench_*.cpp; do
  [[ "${source}" == */bench_gemm.cpp ]] || take "$(basename "${source}" .cpp)"
done
while IFS= read -r source; do
  take "kernels_$(basename "${source}" .cpp)"
done < <(grep -l 'test_stream()' tests/kernels/*_test.cpp)
if readelf -d "${build}/lynceus" | grep -q libcudart; then
  take gpu_matrix_test gpu_device_communicator_test gpu_device_reducer_test
fi
if ((${#absent[@]} > 0)); then
  echo "bundle: ${build}: expected a whole build, found none of: ${absent[*]}" >&2
  exit 3
fi

# Open MPI's runtime, which finds itself through OPAL_PREFIX, and its plug-ins: without those for
# fabrics, whose libraries belong to a cluster, for other launchers and for OpenSHMEM.
other='/mca_[a-z]*_(ofi|openib|psm2?|ucx|cm|flux|jsm|simulator|gridengine|monitoring|pessimist)[.]so$'
other+='|/mca_(atomic|memheap|spml|scoll|sshmem)_|_dbg_'
cp -L "$(command -v mpirun)" "${folder}/openmpi/bin/mpirun"
cp -L "$(command -v orted)" "${folder}/openmpi/bin/orted"
path_of() { ompi_info --path "$1" --parsable | sed -n "s/^path:$1://p"; }
mkdir "${folder}/openmpi/lib/openmpi"
for plugin in "$(path_of pkglibdir)"/*.so; do
  [[ "${plugin}" =~ ${other} ]] || cp -L "${plugin}" "${folder}/openmpi/lib/openmpi/"
done
cp -rL "$(path_of pkgdatadir)" "${folder}/openmpi/share/openmpi"

# Every library they load. The loader, the C library and CUDA's belong to the host; GCC's own may be
# newer there, and a program of the host that joins ours then needs them: `run` decides.
pmix=$(find /usr/lib -type d -path '*/lib/pmix' -print -quit 2>/dev/null)
[[ -z "${pmix}" ]] || cp -rL "${pmix}" "${folder}/lib/pmix"
mkdir "${folder}/lib/gcc"
roots=("${programs[@]}" "${folder}"/openmpi/bin/* "${folder}"/openmpi/lib/openmpi/*.so)
[[ -z "${pmix}" ]] || roots+=("${folder}"/lib/pmix/*.so)
listing=$(ldd "${roots[@]}")
if missing=$(grep 'not found' <<<"${listing}" | sort -u); then
  echo "bundle: libraries that the build needs are not here: ${missing}" >&2
  exit 3
fi
declare -A place # of each library by its name
while read -r library _ file _; do place[${library}]=${file}; done < <(awk '$3 ~ /^\//' <<<"${listing}")
needed_by() { readelf -d "$@" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }

c_library='^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util))[.]so'
cuda='^lib(cuda|cudart|cublas|cublasLt|nccl|nvrtc|nvJitLink)[.]so'
# What is never called here and brings half of the bundle: HDF5 reads from S3 by the first two; a step
# on the CPU is held against the third; corpora in tar files are read by the fourth.
left_out='^lib(curl|crypto|openblas|archive)[.]so'
declare -A taken
waiting=("${roots[@]}")
while ((${#waiting[@]} > 0)); do
  mapfile -t names < <(needed_by "${waiting[@]}")
  waiting=()
  for library in "${names[@]}"; do
    file=${place[${library}]:-}
    [[ -n "${file}" && -z "${taken[${library}]:-}" && ! "${library}" =~ ${c_library} ]] || continue
    taken[${library}]=yes
    if [[ "${library}" =~ ${cuda} ]]; then
      echo "${library}" >>"${folder}/lib/from-host"
      continue
    fi
    [[ ! "${library}" =~ ${left_out} ]] || continue
    waiting+=("${file}")
    if [[ "${library}" =~ ^lib(stdc\+\+|gcc_s|gomp)[.] ]]; then
      cp -L "${file}" "${folder}/lib/gcc/${library}"
    else
      cp -L "${file}" "${folder}/lib/${library}"
    fi
  done
done

# hold_place LIBRARY: in the place of one that is left out a library with those of its functions that
# ours name, each of which ends the program with a word.
hold_place() {
  local library=$1 symbols version function
  symbols=$(comm -12 \
    <(nm -D --undefined-only "${folder}"/bin/* "${folder}"/lib/*.so* 2>/dev/null |
      awk '$1 == "U" {print $2}' | sort -u) \
    <(nm -D --defined-only "${place[${library}]}" | awk '{sub("@@", "@", $3); print $3}' | sort -u))
  version=$(sed -n 's/.*@//p' <<<"${symbols}" | sort -u)
  {
    echo '#include <stdio.h>'
    echo '#include <stdlib.h>'
    for function in ${symbols//@${version:-@}/}; do
      printf 'void %s(void) {\n  fputs("%s: %s is not in this bundle\\n", stderr);\n  abort();\n}\n' \
        "${function}" "${library}" "${function}"
    done
  } >"${scratch}/place.c"
  local script=()
  if [[ -n "${version}" ]]; then
    printf '%s { *; };\n' "${version}" >"${scratch}/place.map"
    script=("-Wl,--version-script=${scratch}/place.map")
  fi
  cc -shared -fPIC -O1 -w -fno-builtin -Wl,-soname,"${library}" "${script[@]}" \
    -o "${folder}/lib/${library}" "${scratch}/place.c"
}
for library in "${!taken[@]}"; do
  [[ ! "${library}" =~ ${left_out} ]] || hold_place "${library}"
done
touch "${folder}/lib/from-host"
find "${folder}/lib" "${folder}/openmpi" -type f \( -name '*.so*' -o -path '*/bin/*' \) \
  -exec chmod u+w {} + -exec strip --strip-unneeded {} +

# What they read, and the kit.
cp -r configs "${folder}/share/lynceus/configs"
ln -s share/lynceus/configs "${folder}/configs"
mkdir "${folder}/golden" "${folder}/data"
for case in tests/golden/*/config.json; do
  cp -r "$(dirname "${case}")" "${folder}/golden/"
done
cp tests/data/*_torch.json "${folder}/data/"
cp -r bench/gpu.sh bench/gpu bench/peers "${folder}/"
for figures in bench/gpu_*.py; do
  [[ ! -e "${figures}" ]] || cp "${figures}" "${folder}/"
done
find "${folder}" -name __pycache__ -prune -exec rm -rf {} +
cp LICENSE "${folder}/"
cp tools/bundle_run.sh "${folder}/run"
{
  git rev-parse HEAD 2>/dev/null || echo unknown
  git diff --quiet HEAD 2>/dev/null || echo "and changes"
} | paste -sd ' ' >"${folder}/commit"

if [[ -n "${target}" ]]; then
  mkdir -p "$(dirname "${target}")"
  mv "${folder}" "${target}"
  printf 'bundle: %s, %d libraries, %d programs\n' "${target}" "${#taken[@]}" "${#programs[@]}"
  exit 0
fi

# The programs share most of their code: a window that spans them all tells it once.
mkdir -p "$(dirname "${output}")"
tar -C "${scratch}" --sort=name --owner=0 --group=0 -c "${name}" |
  xz -T1 --x86 --lzma2=preset=6,dict=192MiB >"${output}"
bytes=$(stat -c %s "${output}")
printf 'bundle: %s, %d.%02d MB, %d libraries, %d programs\n' "${output}" $((bytes / 1000000)) \
  $((bytes / 10000 % 100)) "${#taken[@]}" "${#programs[@]}"
if ((bytes > largest_bytes)); then
  echo "bundle: expected at most $((largest_bytes / 1000000)) MB" >&2
  exit 1
fi
