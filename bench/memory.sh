#!/usr/bin/env bash
# Peak memory of a fit on a stream larger than its budget: 2 million rows of
# 784 uint8 through a pipe, 196 hidden units, 2 epochs, --memory 256MiB.
#
#   bench/memory.sh AEFEAT IDX_FOLDER [ROWS]
#
# Prints the largest resident set and the bytes that a fit left in its spill
# folder (none), for Parquet and for an Arrow stream in batches of 64k rows.
# Needs GNU time and, through digits.py, numpy and pyarrow.
set -euo pipefail
aefeat=$(realpath "$1") idx=$(realpath "$2") rows=${3:-2000000}
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/spill"
python3 "$here/digits.py" "$idx" train "$work/x.parquet" --rows "$rows"
python3 "$here/digits.py" "$idx" train "$work/x.arrows" --rows "$rows" --stream 65536

for input in parquet arrows; do
	cat "$work/x.$input" | /usr/bin/time -f '%M %e' -o "$work/time" \
		"$aefeat" fit --hidden 196 --epochs 2 --memory 256MiB --spill-dir "$work/spill" \
		--progress none -o "$work/model.safetensors"
	read -r kib seconds <"$work/time"
	left=$(find "$work/spill" -type f | wc -l)
	echo "$input: $rows rows, peak $((kib / 1024)) MiB, $seconds s, $left files left"
done
