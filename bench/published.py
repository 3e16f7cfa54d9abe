"""Repeat a published experiment: fit, stack, transform, and a linear classifier on the frozen codes.

    python3 published.py AEFEAT DATA_FOLDER ROW [--seed 1] [--test] [--fit FLAGS]... [--together]

DATA_FOLDER holds train.parquet and test.parquet (digits.py), or also
held.parquet (variants.py); without it the last 10,000 training rows are held
out to choose the classifier's penalty and then join its training. ROW is a key
of ROWS, whose flags were found by searches on held-out rows; each --fit instead
gives the flags of one layer, for such a search. --together classifies the codes
of all layers side by side. The test rows are read with --test alone. Needs
numpy, pyarrow and torch.
"""
import argparse
import pathlib
import resource
import shlex
import subprocess
import tempfile

import numpy as np
import pyarrow.parquet as pq

import softmax

ROWS = {
    "pixels": [],
    "denoising": ["--objective denoising --hidden 1000 --tied --loss cross-entropy --corruption 0.25 --epochs 60"],
}


def column(path, name):
    t = pq.read_table(path, columns=[name, "label"])
    values = t[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    x = values.reshape(len(t), -1)
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x, t["label"].to_numpy()


def layers(aefeat, data, flags, seed, splits, work):
    """The folder whose Parquet files have the columns layer1, layer2, ...; seconds of all cores in the fits."""
    seconds = 0.0
    for i, words in enumerate(flags, 1):
        given = "image" if i == 1 else f"layer{i - 1}"
        out = pathlib.Path(work) / str(i)
        out.mkdir()
        start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run(aefeat, "fit", "--column", given, "--seed", seed, "--memory", "4GiB", "-o", out / "model", *shlex.split(words), data / "train.parquet")
        seconds += resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start
        for split in splits:
            run(aefeat, "transform", "-m", out / "model", "--layout", "list", "--prefix", f"layer{i}", "-o", out / f"{split}.parquet", data / f"{split}.parquet")
        data = out
    return data, seconds


def run(*words):
    done = subprocess.run([*map(str, words), "--progress", "none"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("row")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--test", action="store_true")
    p.add_argument("--fit", action="append")
    p.add_argument("--together", action="store_true")
    a = p.parse_args()
    flags = a.fit or ROWS[a.row]
    held = (a.data / "held.parquet").exists()
    splits = ["train"] + ["held"] * held + ["test"] * a.test
    with tempfile.TemporaryDirectory() as work:
        data, seconds = layers(a.aefeat, a.data, flags, a.seed, splits, work)
        names = [f"layer{i + 1}" for i in range(len(flags))] or ["image"]
        names = names if a.together else names[-1:]

        def read(split):
            parts = [column(data / f"{split}.parquet", name) for name in names]
            return np.concatenate([x for x, _ in parts], 1), parts[0][1]

        x, y = read("train")
        if held:
            hx, hy = read("held")
            error, penalty = softmax.choose(np.concatenate([x, hx]), np.concatenate([y, hy]), len(hy))
        else:
            error, penalty = softmax.choose(x, y)
        text = f"{a.row} seed {a.seed}: held out {error:.2f} %, penalty {penalty:g}, fit {seconds:.0f} s of all cores"
        if a.test:
            text += f", test {softmax.test(x, y, penalty, *read('test')):.2f} %"
    print(text, "|", " + ".join(flags), flush=True)


if __name__ == "__main__":
    main()
