#!/usr/bin/env bash
# The former name of tools/gpu-kit/gpu.sh.
exec "$(dirname "${BASH_SOURCE[0]}")/../tools/gpu-kit/gpu.sh" "$@"
