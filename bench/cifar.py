"""Classify the images of CIFAR-10 by pooled features, beside two ways without
an autoencoder.

    python3 cifar.py AEFEAT DATA [--units 400] [--train 8000] [--test 2000]
        [--seeds 1,2,3] [--per-image 12] [--fit FLAGS] [--encode FLAGS]
        [--pool FLAGS] [--penalty P] [--held-out] [--ways ours,peers]
        [--work FOLDER]

DATA is a folder with CIFAR-10 as Hugging Face lays it out: train.parquet and
test.parquet, a column image, struct<bytes, path> of encoded pictures, and a
column label. Patches of 6x6 pixels in colour come from the training images;
`aefeat fit` learns from them, `aefeat image-features` encodes every patch of an
image and pools over 2x2 cells, and `aefeat probe` fits a linear classifier.
The first rows of each file are taken. --held-out judges on the rows of
train.parquet that come after those and leaves the test rows alone: settings are
chosen so.

The peers pool the same way, on the same patches, preprocessed as A. Coates, H.
Lee and A. Ng have it ("An analysis of single-layer networks in unsupervised
feature learning", AISTATS 2011): the whitened values themselves, both signs
apart, and triangle K-means with as many centroids as there are units. "Roots"
are with the root of each feature, as ours have it. Needs numpy, pyarrow and
Pillow.
"""
import argparse
import io
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SIDE, STRIDE, CELLS = 6, 1, 2
# See RESULTS.md: chosen on held-out training rows.
FIT = "--preprocess zca --objective denoising --activation relu --tied --noise gaussian --corruption 0.5 --sparsity-weight 0 --weight-decay 0.01 --learning-rate 0.005 --batch-size 256 --epochs 5"
ENCODE = "--activation linear"
POOL = "--pool sum --split-sign --root"


def run(*words):
    done = subprocess.run([*map(str, words), "--progress", "none"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def probe(aefeat, train, test, penalty):
    words = ["--penalty", penalty] if penalty else []
    result = json.loads(run(aefeat, "probe", "--json", *words, train, "--test", test))
    return 100 * result["features"]["accuracy"]


def pictures(table):
    from PIL import Image
    cells = table.column("image").to_pylist()
    return np.stack([np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")) for cell in cells])


def patches(images):
    """Every patch of images (m, 32, 32, 3): (m, places, n) float32."""
    view = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    return view.transpose(0, 1, 2, 4, 5, 3).reshape(len(images), -1, SIDE * SIDE * 3).astype(np.float32)


def normalise(x):
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt(np.einsum("...i,...i->...", x, x) / (x.shape[-1] - 1) + 10)[..., None]
    return x


def whitening(x):
    """The mean of rows and the matrix that whitens them (ZCA, epsilon 0.1)."""
    mean = x.mean(0, dtype=np.float64)
    variance, axes = np.linalg.eigh(np.cov((x - mean).T.astype(np.float64)))
    return mean.astype(np.float32), (axes / np.sqrt(np.maximum(variance, 0) + 0.1) @ axes.T).astype(np.float32)


def kmeans(x, k, seed, rounds=20):
    """Centroids (k, n) by Lloyd's algorithm from random rows."""
    random = np.random.default_rng(seed)
    centroids = x[random.choice(len(x), k, replace=False)]
    for _ in range(rounds):
        sums, counts = np.zeros_like(centroids), np.zeros(k)
        for part in np.array_split(x, len(x) // 4096 + 1):
            nearest = (part @ centroids.T - (centroids ** 2).sum(1) / 2).argmax(1)
            order, taken = np.argsort(nearest, kind="stable"), np.bincount(nearest, minlength=k)
            used = taken > 0
            sums[used] += np.add.reduceat(part[order], (np.cumsum(taken) - taken)[used])
            counts += taken
        centroids = sums / np.maximum(counts, 1)[:, None].astype(np.float32)
        empty = counts == 0
        centroids[empty] = x[random.choice(len(x), empty.sum())]
    return centroids


def both_signs(x):
    return np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], -1)


def triangle(centroids):
    """f_k(x) = max(0, mean of the distances - distance k)."""
    squares = (centroids ** 2).sum(1)

    def encode(x):
        z = x @ centroids.T
        z *= -2
        z += squares
        z += np.einsum("...i,...i->...", x, x)[..., None]
        np.sqrt(np.maximum(z, 0, out=z), out=z)
        np.subtract(z.mean(-1, keepdims=True), z, out=z)
        return np.maximum(z, 0, out=z)
    return encode


def pool(images, encode, mean, matrix):
    out = []
    for part in np.array_split(images, len(images) // 4 + 1):  # fits in a cache
        code = encode((normalise(patches(part)) - mean) @ matrix)
        places = int(code.shape[1] ** 0.5)
        half = (places + 1) // 2
        code = code.reshape(len(part), places, places, -1)
        cells = [code[:, a, b].sum((1, 2)) for a in (slice(half), slice(half, None)) for b in (slice(half), slice(half, None))]
        out.append(np.concatenate(cells, 1))
    return np.concatenate(out)


def write(path, features, labels):
    column = pa.FixedSizeListArray.from_arrays(pa.array(features.astype(np.float32).ravel()), features.shape[1])
    pq.write_table(pa.table({"label": labels, "code": column}), path)


def peers(a, work, seed, tables, cut):
    """Accuracies of the whitened values and of triangle K-means, each as
    published and with the root of each feature."""
    x = pq.read_table(cut, columns=["patch"]).column(0).combine_chunks()
    x = normalise((x.storage if isinstance(x, pa.ExtensionArray) else x).flatten().to_numpy().reshape(-1, SIDE * SIDE * 3).astype(np.float32))
    mean, matrix = whitening(x)
    images = [pictures(t) for t in tables]
    paths = [work / "peer-train.parquet", work / "peer-test.parquet"]
    for way, encode in ("whitened patches", both_signs), ("triangle K-means", triangle(kmeans((x - mean) @ matrix, a.units, seed))):
        pooled = [pool(part, encode, mean, matrix) for part in images]
        for last, words in (np.asarray, ""), (np.sqrt, ", roots"):
            for path, table, features in zip(paths, tables, pooled):
                write(path, last(features), table.column("label"))
            print(f"| {seed} | {way}{words} | {probe(a.aefeat, *paths, a.penalty):.2f} % | | | | |", flush=True)


def split(a, data):
    """The rows to learn from and those to judge on."""
    train = pq.read_table(data / "train.parquet")
    test = train.slice(a.train) if a.held_out else pq.read_table(data / "test.parquet")
    return train.slice(0, a.train), test.slice(0, a.test)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("--units", type=int, default=400)
    p.add_argument("--train", type=int, default=8000)
    p.add_argument("--test", type=int, default=2000)
    p.add_argument("--seeds", default="1,2,3")
    p.add_argument("--fit", default=FIT)
    p.add_argument("--encode", default=ENCODE, help="flags of a second fit, of no epochs")
    p.add_argument("--pool", default=POOL, help="flags of image-features")
    p.add_argument("--per-image", type=int, default=12)
    p.add_argument("--penalty", type=float)
    p.add_argument("--held-out", action="store_true")
    p.add_argument("--ways", default="ours,peers")
    p.add_argument("--work", type=pathlib.Path)
    a = p.parse_args()
    for name in ("train.parquet", "test.parquet"):
        if not (a.data / name).is_file():
            sys.exit(f"{a.data / name} is missing: this measurement needs CIFAR-10 as Parquet, which is not part of the project")
    work = pathlib.Path(tempfile.mkdtemp(dir=a.work))
    try:
        measure(a, work)
    finally:
        shutil.rmtree(work)


def ours(a, work, seed, sets, cut):
    """Accuracy of the autoencoder, and how long its parts take."""
    model, clock = work / "model", [time.perf_counter()]
    run(a.aefeat, "fit", "--hidden", a.units, *shlex.split(a.fit), "--seed", seed, "-o", model, cut)
    if a.encode:
        run(a.aefeat, "fit", "--init", model, *shlex.split(a.encode), "--epochs", 0, "-o", model, cut)
    clock.append(time.perf_counter())
    features = [work / "train-features.parquet", work / "test-features.parquet"]
    for images, path in zip(sets, features):
        run(a.aefeat, "image-features", "-m", model, "--stride", STRIDE, "--grid", f"{CELLS}x{CELLS}", *shlex.split(a.pool),
            "--keep", "label", "-o", path, images)
    clock.append(time.perf_counter())
    right = probe(a.aefeat, *features, a.penalty)
    clock.append(time.perf_counter())
    fit, encode, probed = np.diff(clock)
    rate = sum(pq.read_metadata(images).num_rows for images in sets) / encode
    print(f"| {seed} | autoencoder | {right:.2f} % | {fit:.0f} | {encode:.0f} | {rate:.0f} | {probed:.0f} |", flush=True)


def measure(a, work):
    tables = split(a, a.data)
    sets = [work / "train.parquet", work / "test.parquet"]
    for path, table in zip(sets, tables):
        pq.write_table(table, path)
    cut = work / "patches.parquet"
    print("| seed | features | right | fit s | features s | images/s | probe s |\n|---|---|---|---|---|---|---|", flush=True)
    for way in ("ours", "peers"):
        for seed in a.seeds.split(",") if way in a.ways.split(",") else []:
            run(a.aefeat, "patches", "--size", f"{SIDE}x{SIDE}x3", "--per-image", a.per_image, "--seed", seed, "-o", cut, sets[0])
            if way == "ours":
                ours(a, work, seed, sets, cut)
            else:
                peers(a, work, int(seed), tables, cut)


if __name__ == "__main__":
    main()
