#!/usr/bin/env bash
# Runs the pages of docs/ as written: makes the files of the page (```kind NAME), runs the commands of its
# ```console blocks ("$ ...") in a folder like a checkout, and compares their output with that of the page,
# except for seconds. All pages run in the same folder, one after the other, as a reader would: each uses
# files and folders of its own.
#
#   docs_check.sh ROOT LYNCEUS [--update] [PAGE...]     --update writes the output into the pages
#
# Without PAGE: all pages of docs/; without python3 those that do not need it.
set -euo pipefail
export LC_ALL=C OMP_NUM_THREADS=1
root=$1
lynceus=$2
shift 2
update=
if [[ "${1:-}" == --update ]]; then
  update=$1
  shift
fi
work=$(mktemp -d)
trap 'rm -rf "${work}"' EXIT

seconds() { sed -E 's/[0-9.]+ s$/T s/'; }

# Prints the page with the real output of its commands.
replay() {
  local line block="" name=""
  while IFS= read -r line; do
    if [[ -z "${block}" ]]; then
      printf '%s\n' "${line}"
      case "${line}" in
        '```console') block=console ;;
        '```'*' '*)
          block="file"
          name=${line##* }
          : >"${name}"
          ;;
        '```'*) block=other ;;
      esac
    elif [[ "${line}" == '```' ]]; then
      printf '%s\n' "${line}"
      block=""
    elif [[ "${block}" == file ]]; then
      printf '%s\n' "${line}" | tee -a "${name}"
    elif [[ "${block}" == other ]]; then
      printf '%s\n' "${line}"
    elif [[ "${line}" == '$ '* ]]; then
      printf '%s\n' "${line}"
      bash -c "${line:2}" 2>>"${work}/errors" </dev/null || printf 'exit code %s\n' "$?"
    fi
  done
}

place="${work}/checkout"
mkdir -p "${place}/build/release"
ln -s "${root}/tests" "${root}/configs" "${root}/tools" "${place}"
ln -s "${lynceus}" "${place}/build/release/lynceus"
faults=0
pages=("${root}"/docs/*.md)
(($# == 0)) || mapfile -t pages < <(realpath "$@")
for page in "${pages[@]}"; do
  [[ "${page}" == */sizes.md ]] && ! command -v python3 >/dev/null && continue
  : >"${work}/errors"
  (cd "${place}" && replay <"${page}" >"${work}/page")
  if [[ "${update}" == --update ]]; then
    cp "${work}/page" "${page}"
  elif ! diff -u <(seconds <"${page}") <(seconds <"${work}/page"); then
    faults=$((faults + 1))
    cat "${work}/errors"
  fi
done
echo "${#pages[@]} pages, ${faults} with other output than their commands print"
((faults == 0))
