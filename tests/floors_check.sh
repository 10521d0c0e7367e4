#!/usr/bin/env bash
# The floors of the house, held by its includes.
#
#   floors_check.sh ROOT     prints every include that its room may not make; exit 1 if there is one
#
# A room may include itself and the rooms named here; a vendor's header stays where the second table
# puts it. Our own headers are named with their room: "core/tensor.h".
set -euo pipefail
export LC_ALL=C

declare -A allowed=(
  [core]="core"
  [kernels]="core kernels"
  [parallel]="core parallel"
  [io]="core parallel io"
  [model]="core kernels parallel io model"
  [train]="core kernels parallel io model train"
  [verify]="core kernels parallel io model train verify"
  [export]="core kernels parallel io model train export"
  [prepare]="core parallel io prepare"
  [frames]="core io frames"
  [cli]="core kernels parallel io model train verify export prepare cli"
)

# Where a vendor's header may stand, as a pattern of paths; empty: anywhere.
vendor_home() {
  case "$1" in
    mpi.h) echo "^(parallel|io)/" ;;
    hdf5.h | hdf5_hl.h | H5*.h) echo "^io/" ;;
    jpeglib.h | jerror.h | turbojpeg.h | png.h | webp/* | archive.h | archive_entry.h) echo "^io/" ;;
    sentencepiece_*.h) echo "^io/" ;;
    dnnl* | oneapi/dnnl/* | cblas.h | openblas*) echo "^kernels/cpu/" ;;
    libav*/* | libsw*/*) echo "^src/frames/" ;;
    nccl.h) echo "^parallel/nccl" ;;
    cuda.h | cuda_*.h | cuda/* | cublas* | cub/* | mma.h) echo "/cuda" ;;
  esac
}

cd "$1"
faults=0
checked=0
complain() {
  echo "$1"
  faults=$((faults + 1))
}

rooms=()
for directory in core kernels parallel io src/model src/train src/verify src/export src/prepare \
  src/frames src/cli; do
  [[ -d "${directory}" ]] && rooms+=("${directory}")
done
if ((${#rooms[@]} == 0)); then
  echo "$1: expected the rooms of the house, found none"
  exit 1
fi

pattern='^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^>"]+)[>"]'
while IFS= read -r found; do
  [[ "${found}" =~ ${pattern} ]] || continue
  file=${BASH_REMATCH[1]}
  place="${file}:${BASH_REMATCH[2]}"
  quote=${BASH_REMATCH[3]}
  header=${BASH_REMATCH[4]}
  checked=$((checked + 1))
  room=${file#src/}
  room=${room%%/*}
  target=${header%%/*}
  if [[ "${header}" == */* && -n "${allowed[${target}]:-}" ]]; then
    [[ " ${allowed[${room}]} " == *" ${target} "* ]] ||
      complain "${place}: ${room} may include ${allowed[${room}]// /, }; found ${header}"
  elif [[ "${quote}" == '"' ]]; then
    complain "${place}: expected the room in the name of our header, found \"${header}\""
  else
    home=$(vendor_home "${header}")
    [[ -z "${home}" || "${file}" =~ ${home} ]] ||
      complain "${place}: <${header}> belongs into ${home}"
  fi
done < <(grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' \
  '^[[:space:]]*#[[:space:]]*include' "${rooms[@]}")

if ((faults > 0)); then
  echo "${faults} of ${checked} includes break the floors"
  exit 1
fi
echo "${checked} includes keep the floors"
