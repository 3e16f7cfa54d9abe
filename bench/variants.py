"""Make MNIST harder: digits rotated, or on a background of random pixels.

    python3 variants.py IDX_FOLDER rotated|background OUT_FOLDER [--held 2000]

As Larochelle et al. did. Writes train.parquet (10,000 rows), held.parquet
(2,000, to choose settings on; up to 10,000 with --held, where 2,000 decide too
little) and test.parquet (50,000), drawn without replacement from all 70,000
digits by a fixed seed. Rotated: by an angle uniform over the circle, bilinear.
Background: pixels that are 0 become uniform over 0..255. The rows are not those
of the published files, which were drawn by another generator. Needs numpy,
scipy and pyarrow.

H. Larochelle, D. Erhan, A. Courville, J. Bergstra and Y. Bengio, "An empirical
evaluation of deep architectures on problems with many factors of variation",
ICML 2007.
"""
import argparse
import pathlib

import numpy as np
import pyarrow.parquet as pq
from scipy import ndimage

import digits


def vary(kind, images, rng):
    if kind == "background":
        return np.where(images == 0, rng.integers(0, 256, images.shape, np.uint8), images)
    angles = rng.uniform(0, 360, len(images))
    turned = (ndimage.rotate(x.reshape(28, 28).astype(np.float32), angle, reshape=False, order=1) for x, angle in zip(images, angles))
    return np.stack([np.rint(x).astype(np.uint8).ravel() for x in turned])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("kind", choices=["rotated", "background"])
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--held", type=int, default=2000)
    a = p.parse_args()
    if not 1 <= a.held <= 10_000:
        p.error("--held is 1 to 10000: no more digits are left over")
    rng = np.random.default_rng(2007)
    images, labels = (np.concatenate(parts) for parts in zip(digits.read(a.folder, "train"), digits.read(a.folder, "test")))
    order = rng.permutation(len(labels))
    drawn, spare = order[:62_000], order[62_000:]
    # A generator of its own for the spare rows leaves the others as they are.
    images = np.concatenate([vary(a.kind, images[drawn], rng), vary(a.kind, images[spare], np.random.default_rng(1))])
    labels = labels[order]
    held = np.r_[10_000:12_000, 62_000:70_000][: a.held]
    a.out.mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", slice(10_000)), ("held", held), ("test", slice(12_000, 62_000))):
        pq.write_table(digits.table(images[rows], labels[rows]), a.out / f"{split}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
