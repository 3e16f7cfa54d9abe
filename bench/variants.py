"""Make harder MNIST as Larochelle et al. did: digits rotated, or on a background of random pixels.

    python3 variants.py IDX_FOLDER rotated|background OUT_FOLDER

Writes train.parquet (10,000 rows), held.parquet (2,000, to choose settings on)
and test.parquet (50,000), drawn without replacement from all 70,000 digits by a
fixed seed. Rotated: by an angle uniform over the circle, bilinear. Background:
pixels that are 0 become uniform over 0..255. The rows are not those of the
published files, which were drawn by another generator. Needs numpy, scipy, pyarrow.

H. Larochelle, D. Erhan, A. Courville, J. Bergstra and Y. Bengio, "An empirical
evaluation of deep architectures on problems with many factors of variation",
ICML 2007.
"""
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
from scipy import ndimage

import digits


def main():
    folder, kind, out = sys.argv[1:]
    rng = np.random.default_rng(2007)
    images, labels = (np.concatenate(parts) for parts in zip(digits.read(folder, "train"), digits.read(folder, "test")))
    order = rng.permutation(len(labels))[:62_000]
    images, labels = images[order], labels[order]
    if kind == "rotated":
        angles = rng.uniform(0, 360, len(images))
        turned = (ndimage.rotate(x.reshape(28, 28).astype(np.float32), angle, reshape=False, order=1) for x, angle in zip(images, angles))
        images = np.stack([np.rint(x).astype(np.uint8).ravel() for x in turned])
    else:
        images = np.where(images == 0, rng.integers(0, 256, images.shape, np.uint8), images)
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", slice(10_000)), ("held", slice(10_000, 12_000)), ("test", slice(12_000, None))):
        pq.write_table(digits.table(images[rows], labels[rows]), f"{out}/{split}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
