"""Count the dead units of k-sparse codes on three kinds of data.

    python3 dead.py AEFEAT MNIST_FOLDER PHOTOGRAPHS [--work FOLDER]
        [--sets NAME,...] [--codes 512:16,...] [--seeds 0,1,2]
        [--fit FLAGS]...

MNIST_FOLDER holds train.parquet (digits.py makes it), PHOTOGRAPHS PNG files
such as the 24 of the Kodak suite. SETS below names the sets: digits, patches
of photographs, and rows of length 1 such as sentence encoders make, which
`embeddings` generates. --codes are units and codes kept of each, --fit tries
flags of one's own, once for each. Columns:

  dead      percent of the units that are dead on rows that training did not
            see, with as many codes as features keep
  error     their squared error over their variance, in percent
  wrong     errors of `aefeat probe` on the codes of these rows, in percent, its
            penalty fixed; - where rows have no label

Each is the mean over seeds, with its least and largest value where they differ.
Needs numpy and pyarrow.
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS, HELD = 20_000, 6_000

# What each set is: its source, how it is made, and its flags.
SETS = {
    "digits": ("digits", None, ""),
    "8x8 grey zca": ("patches", (8, 1), "--preprocess zca"),
    "12x12 grey patch": ("patches", (12, 1), "--preprocess patch"),
    "6x6 colour zca": ("patches", (6, 3), "--preprocess zca"),
    "embeddings none": ("embeddings", None, "--preprocess none"),
    "embeddings standardize": ("embeddings", None, "--preprocess standardize"),
}


def embeddings(rows, n=384, directions=4_000, groups=40, seed=0):
    """Rows of length 1 (rows, n), and the group of each.

    A row is a sum of 12 of the directions, 8 of them of its own group, with
    weights of heavy tails, and of an offset that all rows share: two rows have
    a cosine of 0.25 on average. Directions of a group have a part in common.
    Directions are drawn by rank r with the frequency 1/r within their group.
    """
    rng = np.random.default_rng(seed)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    each = directions // groups
    centre = unit(rng.standard_normal((groups, 1, n)))
    d = unit(0.3 * centre + unit(rng.standard_normal((groups, each, n)))).reshape(directions, n)
    rank = np.cumsum(1 / np.arange(1, each + 1))
    draw = lambda size: np.searchsorted(rank / rank[-1], rng.random(size))
    offset = unit(rng.standard_normal(n)) * 0.58
    label = rng.integers(groups, size=rows)
    group = np.concatenate([np.repeat(label[:, None], 8, 1), rng.integers(groups, size=(rows, 4))], 1)
    index = group * each + draw(group.shape)
    weight = rng.lognormal(0, 0.8, index.shape)
    x = np.empty((rows, n), np.float32)
    for i in range(0, rows, 1_000):
        s = np.einsum("rk,rkn->rn", weight[i:i + 1_000], d[index[i:i + 1_000]])
        x[i:i + 1_000] = unit(unit(s) + offset)
    return x, label


class Bench:
    def __init__(self, aefeat, mnist, photographs, work, made):
        self.aefeat, self.mnist, self.work, self.made = aefeat, pathlib.Path(mnist), pathlib.Path(work), pathlib.Path(made)
        self.images = sorted(map(str, pathlib.Path(photographs).glob("*.png")))
        if not self.images:
            raise SystemExit(f"{photographs} has no PNG files: give the folder of the Kodak suite, or of other photographs")

    def run(self, *words):
        done = subprocess.run([self.aefeat, *map(str, words), "--progress", "none"], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{words}: {done.stderr}")
        return done.stdout

    def rows(self, source, how):
        """The files of rows to train on and of others, made once."""
        name = source if how is None else "{}x{}-{}".format(source, *how)
        train, held = self.work / f"{name}.train.parquet", self.work / f"{name}.held.parquet"
        if not held.exists():
            if source == "digits":
                table = pq.read_table(self.mnist / "train.parquet").slice(0, ROWS + HELD)
            elif source == "patches":
                side, channels = how
                grey = ["--grey"] if channels == 1 else []
                cut = self.made / "cut.parquet"
                self.run("patches", "--size", f"{side}x{side}", *grey, "--per-image", -(-(ROWS + HELD) // len(self.images)), "-o", cut, *self.images)
                table = pq.read_table(cut)
                table = table.take(np.random.default_rng(0).permutation(len(table))[:ROWS + HELD]).select(["patch"])
            else:
                x, label = embeddings(ROWS + HELD)
                table = pa.table({"embedding": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1]), "label": label})
            pq.write_table(table.slice(0, ROWS), train)
            pq.write_table(table.slice(ROWS), held)
        return train, held

    def measure(self, train, held, hidden, flags, seed):
        """Dead units, error and wrong labels of a fit, in percent."""
        model, codes = self.made / "model", self.made / "codes.parquet"
        self.run("fit", "--objective", "k-sparse", "--seed", seed, "-o", model, *shlex.split(flags), train)
        told = json.loads(self.run("evaluate", "--json", "-m", model, held))
        wrong = np.nan
        if "label" in pq.read_schema(held).names:
            self.run("transform", "-m", model, "--layout", "list", "-o", codes, held)
            wrong = 100 * (1 - json.loads(self.run("probe", "--json", "--penalty", "0.01", codes))["features"]["accuracy"])
        return 100 * told["dead_units"] / hidden, 100 * told["nmse"], wrong


def cell(values):
    """The mean of values, and their range."""
    if np.isnan(values).any():
        return "-"
    low, high = np.min(values), np.max(values)
    return f"{np.mean(values):.1f}" + (f" ({low:.1f} to {high:.1f})" if f"{low:.1f}" != f"{high:.1f}" else "")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("mnist")
    p.add_argument("photographs")
    p.add_argument("--work", help="a folder that keeps the rows")
    p.add_argument("--sets", default=",".join(SETS))
    p.add_argument("--codes", default="196:25,512:16,512:32,1000:25,2048:32")
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--fit", action="append")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as made:
        b = Bench(a.aefeat, a.mnist, a.photographs, a.work or made, made)
        print("| rows | units, k | flags | dead % | error % | wrong % |\n|---|---|---|---|---|---|", flush=True)
        for name in a.sets.split(","):
            source, how, given = SETS[name]
            train, held = b.rows(source, how)
            for code in a.codes.split(","):
                hidden, k = code.split(":")
                for flags in a.fit or [""]:
                    seeds = a.seeds.split(",")
                    told = [b.measure(train, held, int(hidden), f"--hidden {hidden} --k {k} {given} {flags}", seed) for seed in seeds]
                    print(f"| {name} | {hidden}, {k} | {f'`{flags}`' if flags else '-'} | " + " | ".join(map(cell, zip(*told))) + " |", flush=True)


if __name__ == "__main__":
    main()
