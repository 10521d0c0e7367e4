# shellcheck shell=bash
# To be sourced. find_python MODULE: sets `python` to a python3 that has the module; without one the calling
# script ends with exit code 77.
find_python() {
  for python in python3 /usr/bin/python3; do
    if "${python}" -c "import $1" 2>/dev/null; then
      return
    fi
  done
  echo "$(basename "$0" .sh): no python3 with $1 (Debian: python3-$1): not run"
  exit 77
}
