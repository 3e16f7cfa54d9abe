"""Repeat a published experiment: layers, and a linear classifier on the codes.

    python3 published.py AEFEAT DATA_FOLDER ROW [--seed 1] [--test]
        [--fit FLAGS]...

DATA_FOLDER holds train.parquet and test.parquet (digits.py), and may hold
held.parquet (variants.py). ROW is a key of ROWS. For a search it is a new name
beside --fit, which is given once for each layer with the flags of that layer.

The codes of each layer are classified. `aefeat probe` chooses its penalty on
training rows and counts the errors on the test rows (--test), else on
held.parquet, or without that file on a fifth of the training rows. The script
also prints the processor time of the fits, which holds on a busy machine too.
Needs nothing but Python.
"""
import argparse
import json
import pathlib
import resource
import shlex
import subprocess
import tempfile

SIGMOID = "--hidden 1000 --tied --loss cross-entropy --learning-rate 0.001 "
RELU = "--objective denoising --tied --loss cross-entropy --activation relu --noise gaussian --corruption 0.5 "
EMPHASIS = "--objective denoising --tied --loss cross-entropy --activation relu --noise salt-pepper --corruption 0.25 --emphasis inf --learning-rate 0.001 --batch-size 32 --epochs 60 "
ROWS = {
    "pixels": [],
    "denoising": [SIGMOID + "--objective denoising --corruption 0.25 --epochs 60"],
    "k-sparse": ["--objective k-sparse --hidden 1000 --weight-decay 0 --epochs 30 --learning-rate 0.001"],
    "best-denoising": [RELU + "--hidden 1000 --weight-decay 0.01 --learning-rate 0.002 --batch-size 64 --epochs 20"],
    "best-k-sparse": ["--objective k-sparse --hidden 1000 --preprocess zca --no-contrast --zca-epsilon 1 --weight-decay 0.0003 --learning-rate 0.001 --batch-size 32 --epochs 20"],
    "background": [RELU + "--hidden 2000 --weight-decay 0.01 --learning-rate 0.001 --batch-size 32 --epochs 60"]
    + ["--objective denoising --hidden 2000 --tied --preprocess standardize --activation relu --noise gaussian --corruption 0.5 --weight-decay 0.01 --learning-rate 0.0005 --batch-size 32 --epochs 30"] * 2,
    "rotated": [
        RELU + "--hidden 4000 --weight-decay 0.003 --learning-rate 0.001 --batch-size 32 --epochs 60",
        "--objective denoising --hidden 500 --tied --activation linear --output-activation linear --noise gaussian --corruption 0.3 --learning-rate 0.001 --batch-size 64 --epochs 20",
        "--objective denoising --hidden 4000 --tied --preprocess zca --no-contrast --zca-epsilon 1 --activation relu --noise gaussian --corruption 0.4 --weight-decay 0.003 --learning-rate 0.0005 --batch-size 32 --epochs 60",
    ],
    "rotated-emphasis": [EMPHASIS + "--hidden 4000 --weight-decay 0.0003"],
    "background-emphasis": [EMPHASIS + "--hidden 2000 --weight-decay 0.003"],
    "contractive": [SIGMOID + "--objective contractive --epochs 20"],
    "plain": [SIGMOID + "--objective plain --epochs 20"],
    "stacked": ["--objective sparse --sparsity-weight 3 --hidden 200 --epochs 30 --learning-rate 0.004"] * 2,
}


def run(*words):
    done = subprocess.run([*map(str, words), "--progress", "none"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")
    return done.stdout


def layers(aefeat, data, flags, seed, splits, work):
    """Fit and apply the layers one after another.

    Returns the folder whose Parquet files have the columns layer1, layer2, ...,
    and the processor seconds of the fits.
    """
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


def probe(aefeat, columns, train, *more):
    """A linear classifier on the columns: its error in percent, its penalty."""
    score = json.loads(run(aefeat, "probe", "--json", "--features", columns, *more, train))["features"]
    return 100 * (1 - score["accuracy"]), score["penalty"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("row")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--test", action="store_true")
    p.add_argument("--fit", action="append")
    a = p.parse_args()
    if not a.fit and a.row not in ROWS:
        p.error(f"{a.row} is none of {', '.join(ROWS)}")
    flags = a.fit or ROWS[a.row]
    names = [f"layer{i + 1}" for i in range(len(flags))] or ["image"]
    against = ["test"] if a.test else ["held"] * (a.data / "held.parquet").exists()
    with tempfile.TemporaryDirectory() as work:
        data, seconds = layers(a.aefeat, a.data, flags, a.seed, ["train"] + against, work)
        for columns in names:
            error, penalty = probe(a.aefeat, columns, data / "train.parquet", *(w for s in against for w in ("--test", data / f"{s}.parquet")))
            print(f"{a.row} seed {a.seed} {columns}: {'test' if a.test else 'held out'} {error:.2f} % wrong, penalty {penalty:g}", flush=True)
    print(f"fits: {seconds:.0f} s |", " + ".join(flags), flush=True)


if __name__ == "__main__":
    main()
