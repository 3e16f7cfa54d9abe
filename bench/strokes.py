"""What destruction and k do to the filters of digits: fit, measure, draw.

    python3 strokes.py AEFEAT DATA [PART]... [--seeds 0,1,2] [--probe]
        [--models FOLDER] [--pictures FOLDER]

DATA holds the four MNIST files (.gz). PART is a key of PARTS; without any, all
run, which takes two cores an hour. --models keeps the models, and uses those
that are there already. --pictures draws those of the first seed.

Filters are weighed by the deviation of each pixel, since a pixel that is never
lit says nothing, and measured by their lag-1 correlation: the mean of the
correlations of horizontally and vertically neighbouring weights. Random weights
have 0.00, at most 0.06. Fine strokes have 0.45 and more, so that below 0.4 a
filter is speckled. Below 0.6 it is called noise-like, above 0.75 structured. A
unit is dead if none of 10,000 rows keeps it, or if its filter is shorter than a
fiftieth of the longest; it is not counted as speckled or noise-like then. All are
shares of all units.
--probe adds the error of `aefeat probe` on the test rows. Needs numpy, pyarrow
and Pillow.
"""
import argparse
import json
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

import digits

LECTURE = "--objective denoising --hidden 500 --tied --loss cross-entropy --optimizer sgd --learning-rate 0.1 --momentum 0 --batch-size 20 --epochs 20 --corruption "
PARTS = {  # flags that a value ends, the values, the name of pictures
    "destruction": (LECTURE, ["0", "0.25", "0.5"], "digits-destruction"),
    "defaults": ("--objective denoising --corruption ", ["0", "0.25", "0.5"], "digits-defaults"),
    "units": (LECTURE, ["0", "0.1", "0.2", "0.5"], "digits-two-units"),
    "k-sparse": ("--objective k-sparse --hidden 1000 --batch-size 64 --learning-rate 0.001 --k ", ["70", "40", "25", "10"], "digits-ksparse"),
}
SPECKLED, NOISE, STRUCTURED = 0.4, 0.6, 0.75
DEAD = 0.02  # of the longest filter
OVERLAP = 0.3
SHOWN = 16 * 29 + 1, 18 + 8 * 29  # pixels of the title and 8 lines of 16 filters


def run(*words):
    done = subprocess.run([*map(str, words), "--progress", "none"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")
    return done.stdout


def encoder(model):
    """W1 (h,n) of a model file."""
    data = model.read_bytes()
    size, = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8:8 + size])["encoder.weight"]
    start, end = (8 + size + at for at in entry["data_offsets"])
    return np.frombuffer(data[start:end], "<f4").reshape(entry["shape"]).astype(float)


def lag1(filters, side=28):
    """Lag-1 correlation of filters (h,n): (h)."""
    f = filters.reshape(-1, side, side)

    def correlation(a, b):
        a, b = (x.reshape(len(x), -1) for x in (a, b))
        a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
        return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1) + 1e-30)

    return (correlation(f[:, :, 1:], f[:, :, :-1]) + correlation(f[:, 1:], f[:, :-1])) / 2


def measure(aefeat, model, files, deviation, probe):
    """Shares of units in percent by name, and the error of a probe."""
    filters = encoder(model) * deviation
    norms, r = np.linalg.norm(filters, axis=1), lag1(filters)
    with tempfile.TemporaryDirectory() as work:
        codes = {split: pathlib.Path(work) / split for split in (files if probe else ["test"])}
        for split, out in codes.items():
            run(aefeat, "transform", "-m", model, "--layout", "list", "--keep", "label", "-o", out, files[split])
        used = sum((batch.column(0).flatten().to_numpy().reshape(len(batch), -1) != 0).sum(0)
                   for batch in pq.ParquetFile(codes["test"]).iter_batches(columns=["code"]))
        dead = (used == 0) | (norms < DEAD * norms.max())
        found = {"speckled": ~dead & (r < SPECKLED), "noise-like": ~dead & (r < NOISE),
                 "structured": ~dead & (r > STRUCTURED), "dead": dead}
        found = {name: 100 * np.mean(share) for name, share in found.items()}
        if probe:
            score = json.loads(run(aefeat, "probe", "--json", "--test", codes["test"], codes["train"]))
            found["probe error"] = 100 * (1 - score["features"]["accuracy"])
    return found


def two_units(models, deviation):
    """The units that gain most from the first model to the last, of those whose
    correlation never falls and goes from noise-like to structured. The second
    is one whose last filter has a cosine below OVERLAP with that of the first.
    """
    filters = [encoder(m) * deviation for m in models]
    r = np.array([lag1(f) for f in filters])
    able = (np.diff(r, axis=0) > 0).all(0) & (r[0] < NOISE) & (r[-1] > STRUCTURED)
    order = [i for i in np.argsort(r[0] - r[-1], kind="stable") if able[i]]
    last = filters[-1] / np.linalg.norm(filters[-1], axis=1, keepdims=True)
    first = order[0]
    second = next(i for i in order if abs(last[i] @ last[first]) < OVERLAP)
    for unit in first, second:
        print(f"unit {unit}: lag-1 correlation", ", ".join(f"{x:.2f}" for x in r[:, unit]), flush=True)
    return f"{first},{second}"


def draw(aefeat, models, out, train, *units):
    """The filters of models; without units the upper left of many."""
    run(aefeat, "filters", *(word for m in models for word in ("-m", m)), *units, "-o", out, train)
    if not units:
        picture = Image.open(out)
        picture.crop((0, 0, min(picture.width, SHOWN[0]), min(picture.height, SHOWN[1]))).save(out, optimize=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("data", type=pathlib.Path)
    p.add_argument("parts", nargs="*", metavar="PART")
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--probe", action="store_true")
    p.add_argument("--models", type=pathlib.Path)
    p.add_argument("--pictures", type=pathlib.Path)
    a = p.parse_intermixed_args()
    for part in a.parts:
        if part not in PARTS:
            p.error(f"{part} is none of {', '.join(PARTS)}")
    if not (a.data / "train-images-idx3-ubyte.gz").exists():
        sys.exit(f"{a.data} has no train-images-idx3-ubyte.gz: name the folder with the MNIST files")
    with tempfile.TemporaryDirectory() as work:
        folder = a.models or pathlib.Path(work)
        folder.mkdir(parents=True, exist_ok=True)
        files = {split: pathlib.Path(work) / f"{split}.parquet" for split in ("train", "test")}
        for split, file in files.items():
            pq.write_table(digits.table(*digits.read(a.data, split)), file)
        train = files["train"]
        deviation = digits.read(a.data, "train")[0].std(0) / 255
        for part in a.parts or PARTS:
            flags, values, picture = PARTS[part]
            seeds = [int(s) for s in a.seeds.split(",")][:1 if part == "units" else None]
            print(f"\n{part}: aefeat fit {flags}V\n")
            stem = "destruction" if flags == LECTURE else part  # units look at the same models
            models = {}
            for value in values:
                rows = []
                for seed in seeds:
                    model = models[value, seed] = folder / f"{stem}-{value}-{seed}.safetensors"
                    if not model.exists():
                        run(a.aefeat, "fit", *shlex.split(flags), value, "--seed", seed, "-o", model, train)
                    if part != "units":
                        rows.append(measure(a.aefeat, model, files, deviation, a.probe))
                for name in rows[0] if rows else []:
                    one = [row[name] for row in rows]
                    print(f"{value}: {name} {', '.join(f'{x:.1f}' for x in one)}; mean {np.mean(one):.2f} %", flush=True)
            first = [models[value, seeds[0]] for value in values]
            units = ["--units", two_units(first, deviation)] if part == "units" else []
            if a.pictures and units:
                draw(a.aefeat, first, a.pictures / f"{picture}.png", train, *units)
            elif a.pictures:
                for value, model in zip(values, first):
                    number = round(100 * float(value)) if "corruption" in flags else value
                    draw(a.aefeat, [model], a.pictures / f"{picture}-{number}.png", train)


if __name__ == "__main__":
    main()
