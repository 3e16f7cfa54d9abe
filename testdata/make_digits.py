"""Write digits_train.parquet and digits_test.parquet from the MNIST files.

    python make_digits.py FOLDER

FOLDER holds the four IDX files as distributed (train-images-idx3-ubyte.gz and
so on).
The files beside this script were made with pyarrow 26.0.1; another version may
compress to other bytes, but the values are the same.
"""

import gzip
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def idx(path):
    """The array in a gzipped IDX file of unsigned bytes."""
    with gzip.open(path) as f:
        data = f.read()
    if data[:3] != b"\0\0\x08":
        sys.exit(f"{path}: not an IDX file of unsigned bytes")
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def write(path, images, labels):
    table = pa.table({
        "image": pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), 28 * 28),
        "label": pa.array(labels),
    })
    pq.write_table(table, path, compression="zstd", compression_level=19, use_dictionary=False)
    print(f"{path}: {table.num_rows} rows, {os.path.getsize(path)} bytes, labels {np.bincount(labels).tolist()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    here = os.path.dirname(os.path.abspath(__file__))
    # Every 12th and every 10th row, not the first ones: the second half of the
    # MNIST test set comes from other writers than the first and is harder, so
    # its first 1,000 rows would flatter any classifier.
    for name, source, step in [("train", "train", 12), ("test", "t10k", 10)]:
        images = idx(os.path.join(sys.argv[1], f"{source}-images-idx3-ubyte.gz"))[::step]
        labels = idx(os.path.join(sys.argv[1], f"{source}-labels-idx1-ubyte.gz"))[::step]
        write(os.path.join(here, f"digits_{name}.parquet"), images, labels)
