#!/usr/bin/env bash
# Makes a bundle that runs Lynceus on another x86-64 Linux (glibc 2.36 or newer) without its packages: the
# program, the tests that use a device, the benchmarks, every library they need except those of C and
# CUDA, the runtime of Open MPI, configurations, reference cases, and the GPU kit. CUDA and NCCL come from
# the other machine.
#
#   tools/gpu-kit/bundle.sh [--build DIR] [--output FILE.tar.xz]
#                                             default: build/cuda, build/lynceus-bundle.tar.xz
#   tools/gpu-kit/bundle.sh [--build DIR] --folder DIR       only the folder, which must not exist
#
# In the unpacked folder `./run lynceus verify golden/left_pad`, `./run mpirun -n 2 lynceus ...` and
# `./gpu.sh` work. More than 35 MB is an error: services that lend a GPU accept little more.
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
      sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "bundle: expected --build DIR, --output FILE or --folder DIR, found '$1'" >&2
      exit 2
      ;;
  esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly largest_bytes=35000000 name=lynceus

[[ -x "${build}/lynceus" ]] || {
  echo "bundle: ${build}/lynceus: expected a build, found none (cmake --build --preset cuda)" >&2
  exit 3
}
[[ -z "${target}" || ! -e "${target}" ]] || {
  echo "bundle: ${target}: expected a path that does not exist, found one that does" >&2
  exit 2
}
scratch=$(mktemp -d)
trap 'rm -rf "${scratch}"' EXIT
folder=${scratch}/${name}
mkdir -p "${folder}"/{bin,lib,share/lynceus} "${folder}"/openmpi/{bin,lib,share}

# The program, the benchmarks, and the tests that run on a device; the other tests would show nothing new
# on another machine. bench_gemm measures CPUs and needs OpenBLAS.
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
  echo "bundle: ${build}: expected a complete build, found none of: ${absent[*]}" >&2
  exit 3
fi

# The runtime of Open MPI, which finds its files through OPAL_PREFIX, and its plug-ins, without those for
# fabrics (their libraries belong to a cluster), other launchers and OpenSHMEM.
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

# Every library they load. The loader, the C library and CUDA come from the other machine. Its GCC libraries
# may be newer than ours, and then its own programs need them: `run` decides which to take.
pmix=$(find /usr/lib -type d -path '*/lib/pmix' -print -quit 2>/dev/null)
[[ -z "${pmix}" ]] || cp -rL "${pmix}" "${folder}/lib/pmix"
mkdir "${folder}/lib/gcc"
roots=("${programs[@]}" "${folder}"/openmpi/bin/* "${folder}"/openmpi/lib/openmpi/*.so)
[[ -z "${pmix}" ]] || roots+=("${folder}"/lib/pmix/*.so)
listing=$(ldd "${roots[@]}")
if missing=$(grep 'not found' <<<"${listing}" | sort -u); then
  echo "bundle: libraries that the build needs were not found: ${missing}" >&2
  exit 3
fi
declare -A place # of each library by its name
while read -r library _ file _; do place[${library}]=${file}; done < <(awk '$3 ~ /^\//' <<<"${listing}")
needed_by() { readelf -d "$@" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }

c_library='^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util))[.]so'
cuda='^lib(cuda|cudart|cublas|cublasLt|nccl|nvrtc|nvJitLink)[.]so'
# Half of the size of the bundle, and never called in it: HDF5 reads from S3 with the first two, benchmarks
# compare a step on the CPU with the third, `prepare` reads tar files with the fourth.
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

# hold_place LIBRARY: replaces a library that is left out by one with the functions that our programs
# reference; each ends the program with a message.
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

# The files they read, and the kit.
cp -r configs "${folder}/share/lynceus/configs"
ln -s share/lynceus/configs "${folder}/configs"
mkdir "${folder}/golden" "${folder}/data"
for case in tests/golden/*/config.json; do
  cp -r "$(dirname "${case}")" "${folder}/golden/"
done
cp tests/data/*_torch.json "${folder}/data/"
cp tools/gpu-kit/{gpu.sh,kit.py,plan.py,machine.py,compare_runs.py,gpu_figures.py,README.md} "${folder}/"
cp -r bench/peers "${folder}/"
find "${folder}" -name __pycache__ -prune -exec rm -rf {} +
cp LICENSE "${folder}/"
cp tools/gpu-kit/run.sh "${folder}/run"
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

# The programs share most of their code: a window that spans all of them compresses it once.
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
