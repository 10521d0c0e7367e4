#!/usr/bin/env bash
# tools/setup.sh and tools/configure.sh with package tools that only record their calls: setup installs what
# is missing and nothing else, and needs root only then; configure calls it only if CMake fails.
#
#   setup_check.sh ROOT
set -euo pipefail
root=$1
fake=$(mktemp -d)
trap 'rm -rf "${fake}"' EXIT

mkdir "${fake}/bin"
for tool in bash env grep; do ln -s "$(command -v "${tool}")" "${fake}/bin/${tool}"; done
cat >"${fake}/bin/apt-get" <<EOS
#!${BASH}
echo "\$*" >>"${fake}/calls"
EOS
# Knows every package but those in the file "missing"; a removed one keeps its configuration.
cat >"${fake}/bin/dpkg-query" <<EOS
#!${BASH}
for package in "\${@:3}"; do
  if grep -qx "\${package}" "${fake}/missing"; then
    [[ "\${package}" == ccache ]] && echo "rc \${package}"
  else
    echo "ii \${package}"
  fi
done
EOS
cat >"${fake}/bin/sudo" <<EOS
#!${BASH}
exec "\$@"
EOS
chmod +x "${fake}"/bin/{apt-get,dpkg-query,sudo}

run() { env -i PATH="${fake}/bin" "${BASH}" "${root}/tools/setup.sh" "$@" >"${fake}/out" 2>&1; }
fail() {
  echo "$1"
  cat "${fake}/out"
  exit 1
}

: >"${fake}/missing"
: >"${fake}/calls"
run || fail "all installed: expected exit 0"
[[ ! -s "${fake}/calls" ]] || fail "all installed: apt-get was called"

printf '%s\n' g++ ccache >"${fake}/missing"
run || fail "two missing: expected exit 0"
grep -q "install .* g++ ccache$" "${fake}/calls" || fail "two missing: expected both, only both"
grep -q "installing with apt-get: g++ ccache$" "${fake}/out" || fail "two missing: must say so"

printf '%s\n' python3-h5py >"${fake}/missing"
: >"${fake}/calls"
run || fail "no checkers asked for: expected exit 0"
[[ ! -s "${fake}/calls" ]] || fail "no checkers asked for: apt-get was called"
run --checkers || fail "a checker missing: expected exit 0"
grep -q "install .* python3-h5py$" "${fake}/calls" || fail "a checker missing: expected it"
if run --check; then fail "an unknown option: expected a failure"; fi
grep -q "expected nothing or --checkers, found '--check'" "${fake}/out" || fail "must name the option"

# configure.sh in a copy of tools/, with a CMake that fails until g++ is there: apt-get "installs" it.
for tool in grep sed mkdir rm cat dirname; do ln -sf "$(command -v "${tool}")" "${fake}/bin/${tool}"; done
mkdir "${fake}/root"
cp -r "${root}/tools" "${fake}/root/"
touch "${fake}/bin/ninja"
cat >"${fake}/bin/cmake" <<EOS
#!${BASH}
echo "cmake \$*" >>"${fake}/calls"
if grep -qx g++ "${fake}/missing"; then
  echo "CMake Error at cmake/dependencies.cmake: Not found: fmt"
  exit 1
fi
EOS
cat >"${fake}/bin/apt-get" <<EOS
#!${BASH}
echo "\$*" >>"${fake}/calls"
: >"${fake}/missing"
EOS
chmod +x "${fake}"/bin/{ninja,cmake,apt-get}
configure() {
  : >"${fake}/calls"
  env -i PATH="${fake}/bin" "${BASH}" "${fake}/root/tools/configure.sh" release >"${fake}/out" 2>&1
}

echo ccache >"${fake}/missing"
configure || fail "CMake finds everything: expected exit 0"
[[ "$(cat "${fake}/calls")" == "cmake --preset release" ]] ||
  fail "CMake finds everything: expected one call of CMake, found $(cat "${fake}/calls")"

echo g++ >"${fake}/missing"
configure || fail "CMake fails, apt-get installs: expected exit 0"
grep -q "install .* g++$" "${fake}/calls" || fail "CMake fails: expected apt-get to install g++"
grep -q "Not found: fmt" "${fake}/out" || fail "CMake fails: expected its message"

echo g++ >"${fake}/missing"
mv "${fake}/bin/apt-get" "${fake}/apt-get"
if configure; then fail "CMake fails without apt-get: expected a failure"; fi
grep -q "Not found: fmt" "${fake}/out" || fail "CMake fails without apt-get: expected its message"
grep -q "docs/building.md" "${fake}/out" || fail "CMake fails without apt-get: expected the page to read"

mv "${fake}/apt-get" "${fake}/bin/apt-get"
rm "${fake}/bin/cmake"
if configure; then fail "no CMake even after apt-get: expected a failure"; fi
grep -q "cmake: not found on the PATH" "${fake}/out" || fail "no CMake: must say so"

rm "${fake}/bin/apt-get"
if run; then fail "no apt-get: expected a failure"; fi
grep -q "expected Debian 12 or Ubuntu 24.04" "${fake}/out" || fail "no apt-get: must say so"
echo "setup installs what is missing, and configure asks for it only if CMake fails"
