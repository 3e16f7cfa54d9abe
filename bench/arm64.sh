#!/usr/bin/env bash
# The tests of the numerical packages on arm64, under emulation.
#
#     bench/arm64.sh
#
# Needs qemu-user (Debian's package) beside Go.
set -euo pipefail
cd "$(dirname "$0")/.."
GOARCH=arm64 CGO_ENABLED=0 go test -short -exec qemu-aarch64 ./internal/rng ./internal/f32 ./model ./linear
