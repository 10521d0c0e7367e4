#!/usr/bin/env bash
# An installed Lynceus runs from wherever it is moved to.
#
#   install_check.sh CMAKE BUILD_DIRECTORY
set -euo pipefail
cmake=$1
build=$2
prefix=$(mktemp -d)
trap 'rm -rf "${prefix}"' EXIT

"${cmake}" --install "${build}" --prefix "${prefix}/first" >"${prefix}/log" ||
  { cat "${prefix}/log"; exit 1; }
mv "${prefix}/first" "${prefix}/second"
cd /
help=$("${prefix}/second/bin/lynceus" --help)
if [[ "${help}" != *lynceus* ]]; then
  echo "lynceus --help: expected a help page, found '${help}'"
  exit 1
fi
echo "installed, moved, and it runs"
