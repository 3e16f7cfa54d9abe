"""Write MNIST as Parquet or as an Arrow stream, for the measurements here.

    python3 digits.py IDX_FOLDER train|test OUT [--order file|label|shuffled]
        [--first N] [--rows N] [--float] [--stream BATCH]

IDX_FOLDER holds the four MNIST files (.gz). The columns are `image`, a
fixed-size list of 784 uint8 (float32 in 0..1 with --float), and `label`.
--first takes the first N rows of the file. --rows repeats the rows until there
are N. --stream writes an Arrow IPC stream in batches of BATCH rows, and with OUT
"-" to stdout. Needs numpy and pyarrow.
"""
import argparse
import gzip
import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def read(folder, split):
    """The images (rows, 784) and labels of one split, uint8."""
    stem = {"train": "train", "test": "t10k"}[split]
    folder = pathlib.Path(folder)
    images = gzip.open(folder / f"{stem}-images-idx3-ubyte.gz").read()
    labels = gzip.open(folder / f"{stem}-labels-idx1-ubyte.gz").read()
    return (np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784),
            np.frombuffer(labels, np.uint8, offset=8))


def table(images, labels):
    values = pa.array(images.ravel())
    column = pa.FixedSizeListArray.from_arrays(values, images.shape[1])
    return pa.table({"image": column, "label": pa.array(labels)})


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("split", choices=["train", "test"])
    p.add_argument("out")
    p.add_argument("--order", choices=["file", "label", "shuffled"], default="file")
    p.add_argument("--first", type=int)
    p.add_argument("--rows", type=int)
    p.add_argument("--float", action="store_true")
    p.add_argument("--stream", type=int)
    a = p.parse_args()
    images, labels = read(a.folder, a.split)
    images, labels = images[:a.first], labels[:a.first]
    if a.order == "label":
        order = np.argsort(labels, kind="stable")
        images, labels = images[order], labels[order]
    elif a.order == "shuffled":
        order = np.random.default_rng(1).permutation(len(labels))
        images, labels = images[order], labels[order]
    if a.float:
        images = images.astype(np.float32) / np.float32(255)
    total = a.rows or len(images)
    chunk = a.stream or 20_000
    schema = table(images[:1], labels[:1]).schema
    sink = sys.stdout.buffer if a.out == "-" else a.out
    if a.stream:
        writer = pa.ipc.new_stream(sink, schema)
    else:
        writer = pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=["label"])
    with writer:
        for start in range(0, total, chunk):
            take = np.arange(start, min(start + chunk, total)) % len(images)
            writer.write_table(table(images[take], labels[take]))


if __name__ == "__main__":
    main()
