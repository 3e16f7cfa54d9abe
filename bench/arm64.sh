#!/usr/bin/env bash
# The tests of the numerical packages on arm64, under emulation, and the share
# of fused multiply-adds among the instructions that a product executes.
#
#     bench/arm64.sh [TESTS_OF_MODEL]
#
# Needs qemu-user (Debian's package) beside Go. An emulator tells nothing about
# time: for that there is bench/here.py, on a machine of that kind.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOARCH=arm64 GOOS=linux CGO_ENABLED=0
# Counting allocations takes minutes there, and is the same everywhere. Of the
# model those tests are run that hold it to independent values.
oracles=${1:-Golden|FiniteDifferences|ListsAgainstDense|StepsWithLists|MinimumOfLinearUnits|Optimizers|FullBatchStep|EqualRuns|Numpy}
go test -short -skip '^TestNothingAllocated$' -exec qemu-aarch64 ./internal/cpu ./internal/rng ./internal/f32 ./linear
go test -short -run "$oracles" -exec qemu-aarch64 ./model

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -c -o "$work/f32" ./internal/f32
# One instruction at a time, so that each one executed is a line of the trace.
single=-singlestep
if qemu-aarch64 --help | grep -q one-insn-per-tb; then
	single=-one-insn-per-tb
fi
range=$(go tool nm -size "$work/f32" | awk '$4 ~ /\.tileNEON\.abi0$/ { print "0x" $1 "+" $2 }')
GODEBUG=asyncpreemptoff=1 GOMAXPROCS=1 qemu-aarch64 $single -d in_asm,exec,nochain -dfilter "$range" -D "$work/trace" "$work/f32" -test.run '^TestGemmFusedClasses$' >"$work/out"
# Lines "0xADDRESS:  WORD  ..." give the instructions, "Trace ... /ADDRESS/"
# what was executed. FMLA by element is 4f.. 1... or 4f.. 18... but for its
# registers. The inner loop is what was executed more than half as often as
# anything.
awk '
	function key(address) { address = "0000000000000000" address; return substr(address, length(address) - 15) }
	/^0x/ { sub(/^0x/, "", $1); sub(/:$/, "", $1); fma[key($1)] = $2 ~ /^4f[89ab].1[0-38-b]/ }
	/^Trace/ { split($4, part, "/"); count[key(part[2])]++ }
	END {
		for (a in count) {
			all += count[a]; fused += count[a] * fma[a]
			if (count[a] > most) most = count[a]
		}
		for (a in count) if (2 * count[a] > most) { loop += count[a]; loopFused += count[a] * fma[a] }
		if (!all) { print "nothing was counted"; exit 1 }
		printf "inner loop of a product: %d of %d executed are FMLA: %.3f\n", loopFused, loop, loopFused / loop
		printf "product of (33,61,700), all of the kernel: %d of %d executed are FMLA: %.3f\n", fused, all, fused / all
		exit loopFused < 0.75 * loop
	}' "$work/trace"
