#!/usr/bin/env bash
# Installs the packages that Lynceus needs to build and to test, with apt.
#
#   tools/setup.sh              to build, to run and to test
#   tools/setup.sh --checkers   and what some tests need: PyTorch, h5py, Pillow, shellcheck, clang-format, clang-tidy,
#                               Slurm
#
# Debian 12 is tested. Ubuntu 24.04 has packages of the same names (in main and universe) and is
# untested. Root or sudo is needed only when a package is missing. Other systems: docs/building.md.
set -euo pipefail
export PATH LC_ALL=C

packages=(
  # to build
  g++ cmake ninja-build ccache pkg-config git
  # MPI
  libopenmpi-dev openmpi-bin
  # files: HDF5, images, archives, tokenizer, lower case, digests, JSON
  libhdf5-openmpi-dev libjpeg-dev libpng-dev libwebp-dev libgif-dev libtiff-dev libarchive-dev
  libsentencepiece-dev libicu-dev libxxhash-dev libhwloc-dev nlohmann-json3-dev
  # videos, used by a separate program
  libavformat-dev libavcodec-dev libswscale-dev libavutil-dev
  # the judge over HTTP, a separate program
  libcurl4-openssl-dev
  # arithmetic; only the benchmarks use OpenBLAS
  libdnnl-dev libopenblas-pthread-dev
  # command line and log
  libboost-program-options-dev libspdlog-dev libfmt-dev
  # tests and benchmarks; Boost.Context for CUDA kernels on the host; clang for their race detector and for
  # libFuzzer
  libgtest-dev libgmock-dev libbenchmark-dev libboost-context-dev clang libclang-rt-14-dev
)
case "${1:-}" in
  "") ;;
  --checkers) packages+=(python3-torch python3-h5py python3-pil shellcheck clang-format clang-tidy
    slurm-wlm munge) ;;
  *)
    echo "setup: expected nothing or --checkers, found '$1'" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: expected Debian 12 or Ubuntu 24.04, found neither dpkg nor apt-get." \
    "Install the contents of these packages by other means (docs/building.md): ${packages[*]}" >&2
  exit 2
fi

installed=$(dpkg-query --show --showformat='${db:Status-Abbrev}${Package}\n' "${packages[@]}" \
  2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
  grep -qxF "ii ${package}" <<<"${installed}" || missing+=("${package}")
done
if ((${#missing[@]} == 0)); then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

system=unknown
if [[ -r /etc/os-release ]]; then
  # shellcheck disable=SC1091
  system=$(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-}")
fi
case "${system}" in
  "debian 12") ;;
  "ubuntu 24.04") echo "setup: Ubuntu 24.04 is supported but untested" ;;
  *) echo "setup: ${system} is neither Debian 12 nor Ubuntu 24.04: its packages may have other names" ;;
esac

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing packages, and no root or sudo to install them: ${missing[*]}" >&2
    echo "setup: run as root: apt-get install ${missing[*]}" >&2
    echo "setup: without root: docs/building.md" >&2
    exit 2
  fi
  as_root=(sudo)
fi

echo "setup: installing with apt-get: ${missing[*]}"
options=(-qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install --yes \
  --no-install-recommends "${missing[@]}"
echo "setup: done"
