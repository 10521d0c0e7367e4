#!/usr/bin/env bash
# Runs a program of the bundle with the bundle's libraries, from any folder (bundle.sh makes the bundle):
#
#   run PROGRAM [ARGUMENTS]          lynceus, bench_step, kernels_norm_test ...
#   run mpirun -n 2 PROGRAM ...      ranks on this machine
#
# The libraries of CUDA and NCCL come from the machine. They are searched in the loader's list, in
# LD_LIBRARY_PATH, in /usr/local/cuda*, and in the wheels (nvidia/*/lib) of the python3 on the PATH.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if (($# == 0)) || [[ "$1" == --help ]]; then
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 0
fi

# known: the libraries that the loader finds itself, one "NAME PATH" per line.
known=$({ ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | awk '/=>/ {print $1, $NF}') || true
loader_has() { [[ $'\n'"${known}"$'\n' == *$'\n'"$1 "* ]]; }

IFS=: read -ra given <<<"${LD_LIBRARY_PATH:-}"
folders=("${given[@]}" /usr/local/cuda*/lib64 /usr/local/cuda*/targets/x86_64-linux/lib
  /usr/local/nvidia/lib64 /usr/lib64 /usr/lib/wsl/lib)
asked_python=
ask_python() { # once: adds the folders with libraries in the wheels of python3
  [[ -z "${asked_python}" ]] || return 0
  asked_python=yes
  local folder
  while IFS= read -r folder; do
    folders+=("${folder}")
  done < <(python3 -c '
import glob, os, sys
for path in sys.path:
    for folder in sorted(glob.glob(os.path.join(path, "nvidia", "*", "lib"))):
        print(folder)' 2>/dev/null)
}
find_library() { # find_library NAME: sets found to its folder, empty if the loader has it; or fails
  local folder
  found=
  loader_has "$1" && return 0
  for folder in "${folders[@]}"; do
    [[ -e "${folder}/$1" ]] && found=${folder} && return 0
  done
  return 1
}

search=("${here}/lib" "${here}/openmpi/lib")
add() { [[ -z "$1" || " ${search[*]} " == *" $1 "* ]] || search+=("$1"); }
missing=()
while IFS= read -r library; do
  find_library "${library}" || { ask_python && find_library "${library}"; } ||
    { missing+=("${library}") && continue; }
  add "${found}"
done <"${here}/lib/from-host"
if ((${#missing[@]} > 0)); then
  echo "run: the programs need ${missing[*]} of CUDA and NCCL, not found in the loader's list," \
    "LD_LIBRARY_PATH, /usr/local/cuda*/lib64 or the wheels of python3 (nvidia/*/lib)" >&2
  exit 3
fi
# The driver; without it the programs run on the CPU.
[[ ! -s "${here}/lib/from-host" ]] || ! find_library libcuda.so.1 || add "${found}"
# GCC's libraries of the bundle, unless those of the machine are as new.
newest=$(grep -aoE 'GLIBCXX_3[.]4[.][0-9]+' "${here}/lib/gcc/libstdc++.so.6" | sort -Vu | tail -1)
theirs=$(awk '$1 == "libstdc++.so.6" {print $2; exit}' <<<"${known}")
if [[ -z "${theirs}" ]] || ! loader_has libgomp.so.1 || ! grep -qaF "${newest}" "${theirs}"; then
  add "${here}/lib/gcc"
fi
for folder in "${given[@]}"; do add "${folder}"; done

export LD_LIBRARY_PATH PATH="${here}/bin:${here}/openmpi/bin:${PATH}" LYNCEUS_TEST_DATA="${here}/data"
LD_LIBRARY_PATH=$(IFS=: && echo "${search[*]}")
export OPAL_PREFIX="${here}/openmpi" OMPI_MCA_mca_base_component_path="${here}/openmpi/lib/openmpi"
export PMIX_MCA_mca_base_component_path="${here}/lib/pmix"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Containers forbid one process to read another's memory.
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# All ranks run on this machine, but mpirun looks for ssh and fails without one.
if [[ -z "${OMPI_MCA_plm_rsh_agent:-}" ]] && ! command -v ssh >/dev/null; then
  OMPI_MCA_plm_rsh_agent=$(command -v false) && export OMPI_MCA_plm_rsh_agent
fi
if [[ "$1" == mpirun ]]; then
  set -- mpirun --oversubscribe --bind-to none "${@:2}"
fi
exec "$@"
