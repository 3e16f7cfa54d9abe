"""Rounds against cost: a training over eight shards of MNIST, exact and averaged.

    python3 rounds.py AEFEAT IDX_FOLDER [PART]... [--seeds 0,1,2] [--shards 8]
        [--batch 32] [--rounds 6] [--passes 100]

IDX_FOLDER holds the four MNIST files (.gz). The parts are: `one`, one process
for 30 epochs; `averaged`, rounds of 5 local epochs over shuffled shards;
`sorted`, the same where each shard has rows of one or two labels; `exact`,
L-BFGS with the sums of all shards; `rows`, as many steps on fewer rows. Without
any, all run. Models are those of `fit`'s defaults: sparse, 196 units. Each part
prints a line a seed, with the costs of the 10,000 test rows; and where codes
were judged, the accuracy of `aefeat probe` on them. Needs numpy and pyarrow.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
import digits

LOCAL, EPOCHS = 5, 30


class Bench:
    def __init__(self, aefeat, idx, folder, shards):
        self.aefeat, self.folder, self.shards = aefeat, folder, shards
        self.images, self.labels = digits.read(idx, "train")
        self.train, self.test = folder / "train.parquet", folder / "test.parquet"
        pq.write_table(digits.table(self.images, self.labels), self.train)
        pq.write_table(digits.table(*digits.read(idx, "test")), self.test)

    def run(self, *words):
        """The output of a command of aefeat."""
        done = subprocess.run([self.aefeat, *map(str, words)], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"{words}: status {done.returncode}")
        return done.stdout

    def cost(self, model):
        """The cost of the test rows."""
        return json.loads(self.run("evaluate", "-q", "--json", "-m", model, self.test))["cost"]["total"]

    def accuracy(self, model):
        """Percent of the test rows that a linear classifier of the codes reads."""
        for rows in self.train, self.test:
            self.run("transform", "-q", "-m", model, rows, "-o", self.folder / f"codes-{rows.name}")
        told = self.run("probe", "-q", "--json", "--test", self.folder / "codes-test.parquet", self.folder / "codes-train.parquet")
        return 100 * json.loads(told)["features"]["accuracy"]

    def split(self, order):
        """The shards of rows in that order."""
        files = []
        for i, rows in enumerate(np.array_split(order, self.shards)):
            files.append(self.folder / f"shard-{i}.parquet")
            pq.write_table(digits.table(self.images[rows], self.labels[rows]), files[-1])
        return files

    def start(self, seed):
        self.run("fit", "-q", "--epochs", 0, "--seed", seed, "-o", self.folder / "init", self.train)
        return self.folder / "init"

    def one(self, seed, _):
        model = self.folder / "one"
        self.run("fit", "-q", "--epochs", EPOCHS, "--seed", seed, "-o", model, self.train)
        return {"cost": self.cost(model), "accuracy": self.accuracy(model)}

    def averaged(self, seed, a):
        return self.average(self.split(np.random.default_rng(seed).permutation(len(self.labels))), seed, a)

    def sorted(self, seed, a):
        return self.average(self.split(np.argsort(self.labels, kind="stable")), seed, a)

    def average(self, shards, seed, a):
        point, told = self.start(seed), {"costs": []}
        for i in range(1, a.rounds + 1):
            models = [self.folder / f"local-{j}" for j in range(len(shards))]
            for shard, model in zip(shards, models):
                self.run("fit", "-q", "--init", point, "--epochs", LOCAL, "--batch-size", a.batch, "--seed", seed * 1000 + i, "-o", model, shard)
            point = self.folder / f"round-{i}"
            self.run("average", "-q", "-o", point, *models)
            told["costs"].append(self.cost(point))
            if i * LOCAL == EPOCHS:
                told["accuracy"] = self.accuracy(point)
        return told

    def exact(self, seed, a):
        """The cost of the test rows at each point of the search."""
        shards, told = self.split(np.random.default_rng(seed).permutation(len(self.labels))), {"costs": []}
        words = [self.aefeat, "drive", "-q", "-m", self.start(seed), "-o", self.folder / "exact", "--shards", len(shards), "--epochs", a.passes]
        driver = subprocess.Popen([*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with driver:
            for line in driver.stdout:
                word, point = line.rstrip("\n").split(" ", 1)
                if len(told["costs"]) == a.passes:
                    driver.kill()
                    break
                if word == "done":
                    break
                told["costs"].append(self.cost(point))
                for i, shard in enumerate(shards):
                    sums = self.folder / f"{i}.sums"
                    self.run("sums", "-q", "-m", point, "--shard", i, "-o", sums, shard)
                    print(sums, file=driver.stdin, flush=True)
        return told

    def rows(self, seed, _):
        """Costs by how many of the rows there are, 5 epochs of all in steps."""
        told = {}
        shuffled = self.folder / "shuffled.parquet"
        order = np.random.default_rng(seed).permutation(len(self.labels))
        pq.write_table(digits.table(self.images[order], self.labels[order]), shuffled)
        for part in 8, 4, 2, 1:
            rows = len(order) // part
            self.run("fit", "-q", "--rows", rows, "--epochs", 5 * part, "--seed", seed, "-o", self.folder / "few", shuffled)
            told[rows] = self.cost(self.folder / "few")
        return told


PARTS = ["rows", "one", "averaged", "sorted", "exact"]


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("aefeat")
    p.add_argument("idx")
    p.add_argument("parts", nargs="*", metavar="PART", default=PARTS)
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--shards", type=int, default=8)
    p.add_argument("--rounds", type=int, default=6)
    p.add_argument("--batch", type=int, default=32, help="rows of a local step")
    p.add_argument("--passes", type=int, default=100)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(a.aefeat, a.idx, pathlib.Path(folder), a.shards)
        for part in a.parts:
            for seed in map(int, a.seeds.split(",")):
                print(json.dumps({"part": part, "seed": seed} | getattr(bench, part)(seed, a)), flush=True)


if __name__ == "__main__":
    main()
