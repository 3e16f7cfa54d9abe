#!/usr/bin/env bash
# Sizes of codes of which most are 0, by layout: 25 of 4,096 units for each of
# the 10,000 test digits of MNIST, and the label.
#
#   bench/layouts.sh AEFEAT IDX_FOLDER
#
# Prints for each layout the bytes of an Arrow IPC file and of a Parquet file,
# the seconds of user time that writing them takes, and the hash of a second
# model that learns from them: it is the same for all. Needs GNU time.
set -euo pipefail
aefeat=$(realpath "$1") idx=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
quiet=(--progress none)
"$aefeat" patches --size image --label-from "file:$idx/t10k-labels-idx1-ubyte.gz" "${quiet[@]}" \
	-o digits.parquet "$idx/t10k-images-idx3-ubyte.gz"
"$aefeat" fit --objective k-sparse --hidden 4096 --k 25 --k-encode 1 --epochs 1 "${quiet[@]}" -o model digits.parquet 2>log

for layout in list array sparse; do
	for format in arrow parquet; do
		file=$layout.$format
		/usr/bin/time -f %U -o seconds "$aefeat" transform -m model --layout $layout --keep label "${quiet[@]}" -o "$file" digits.parquet 2>log
		"$aefeat" fit --column code --hidden 16 --epochs 1 --preprocess none --output-activation linear "${quiet[@]}" -o "second.$file" "$file" 2>log
		echo "$layout $format: $(stat -c %s "$file") bytes, $(cat seconds) s, second model $(sha256sum <"second.$file" | cut -c1-16)"
	done
done
