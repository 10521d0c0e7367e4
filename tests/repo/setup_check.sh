#!/usr/bin/env bash
# tools/setup.sh with package tools that only write down what they were asked: it installs what is
# missing and nothing else, and asks for root only then.
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

rm "${fake}/bin/apt-get"
if run; then fail "no apt-get: expected a failure"; fi
grep -q "expected Debian 12 or Ubuntu 24.04" "${fake}/out" || fail "no apt-get: must say so"
echo "setup installs what is missing"
