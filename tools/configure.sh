#!/usr/bin/env bash
# Configures build/PRESET with CMake. If CMake does not find what it needs, tools/setup.sh installs it and
# CMake runs again. Nothing is installed on a machine where everything is found, wherever it comes from.
#
#   tools/configure.sh PRESET      e.g. tools/configure.sh release
set -euo pipefail
export PATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=$1
log=build/configure-${preset}.log
mkdir -p build
first=yes
[[ ! -e build/${preset}/CMakeCache.txt ]] || first=no

try() {
  local program
  for program in cmake ninja; do
    if ! command -v "${program}" >/dev/null; then
      echo "${program}: not found on the PATH" >"${log}"
      return 1
    fi
  done
  cmake --preset "${preset}" >"${log}" 2>&1
}

if ! try; then
  grep -A 25 -E 'CMake Error|not found on the PATH' "${log}" >&2 || cat "${log}" >&2
  echo "configure: CMake did not find everything it needs (above, and ${log}); trying tools/setup.sh" >&2
  if ! tools/setup.sh; then
    echo "configure: what to do on this machine: docs/building.md" >&2
    exit 2
  fi
  # A first configuration remembers what it did not find; an earlier one has options of the user.
  [[ "${first}" == no ]] || rm -f "build/${preset}/CMakeCache.txt"
  if ! try; then
    cat "${log}" >&2
    echo "configure: cmake --preset ${preset} failed; see docs/building.md" >&2
    exit 2
  fi
fi
grep -E '^-- No ' "${log}" | sed 's/^-- /configure: /' || true
