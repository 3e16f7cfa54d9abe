"""Measure self-taught learning on MNIST, beside numpy and scipy.

    python3 selftaught.py AEFEAT IDX_FOLDER [--seeds 1,2,3] [--fit FLAGS]...
        [--iterations 400] [--peer float32|float64] [--hidden 200] [--rows N]

Features are learned without labels from the 29,404 training digits 5 to 9: 200
sparse units, rho 0.1, lambda 3e-3, beta 3. Softmax regression then tells the
digits 0 to 4 apart, fitted on the first half of those and tested on the second
(`aefeat probe`). Each --fit is one way to train (default: L-BFGS, then
mini-batches). --peer runs as many iterations of scipy's L-BFGS-B over a cost
written in numpy, in float32 or float64, in turn with ours. --hidden and --rows
make the problem smaller: so many units, the first N of the rows. Times are of
the training alone; processor time, of all cores, holds on a busy machine too.
Needs numpy, scipy, pyarrow and safetensors.

A. Ng et al., "UFLDL tutorial", exercise "Self-taught learning".
"""
import argparse
import json
import resource
import shlex
import subprocess
import tempfile
import time

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize

import digits
from published import probe

RHO, BETA, DECAY = 0.1, 3.0, 3e-3
NAMES = ["encoder.weight", "decoder.weight", "encoder.bias", "decoder.bias"]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cost(p, x, shapes):
    """Ng, CS294A, in the type of x with sums in float64: J and its gradient."""
    m = len(x)
    w1, w2, b1, b2 = parameters(p.astype(x.dtype), shapes)
    code = sigmoid(x @ w1.T + b1)
    y = sigmoid(code @ w2.T + b2)
    q = code.mean(0, dtype=np.float64)
    j = 0.5 * np.square(y - x).sum(dtype=np.float64) / m + DECAY / 2 * sum(np.square(w).sum(dtype=np.float64) for w in (w1, w2))
    j += BETA * (RHO * np.log(RHO / q) + (1 - RHO) * np.log((1 - RHO) / (1 - q))).sum()
    d2 = (y - x) * y * (1 - y)
    d1 = (d2 @ w2 + (BETA * ((1 - RHO) / (1 - q) - RHO / q)).astype(x.dtype)) * code * (1 - code)
    gradient = d1.T @ x / m + x.dtype.type(DECAY) * w1, d2.T @ code / m + x.dtype.type(DECAY) * w2, d1.sum(0) / m, d2.sum(0) / m
    return j, np.concatenate([g.ravel() for g in gradient]).astype(np.float64)


def parameters(p, shapes):
    sizes = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]
    return [v.reshape(s) for v, s in zip(np.split(p, sizes), shapes)]


def clock(who):
    """Wall seconds, and processor seconds of this process or its children."""
    used = resource.getrusage(who)
    return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def peer(init, x, iterations):
    w = load_file(init)
    shapes = [w[k].shape for k in NAMES]
    start = clock(resource.RUSAGE_SELF)
    r = minimize(cost, np.concatenate([w[k].ravel() for k in NAMES]).astype(np.float64), (x, shapes), "L-BFGS-B", jac=True,
                 options=dict(maxiter=iterations, maxfun=10_000, maxcor=10, ftol=0, gtol=0))
    seconds = clock(resource.RUSAGE_SELF) - start
    return dict(zip(NAMES, map(np.ascontiguousarray, parameters(r.x.astype(np.float32), shapes)))), r, seconds


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("folder")
    p.add_argument("--seeds", default="1,2,3")
    p.add_argument("--peer", choices=["float32", "float64"])
    p.add_argument("--iterations", type=int, default=400)
    p.add_argument("--hidden", type=int, default=200)
    p.add_argument("--rows", type=int)
    p.add_argument("--fit", action="append")
    a = p.parse_args()
    ways = a.fit or [f"--optimizer lbfgs --epochs {a.iterations}", "--epochs 30"]
    images, labels = digits.read(a.folder, "train")
    unlabelled = np.flatnonzero(labels >= 5)[:a.rows]
    x = (images[unlabelled].astype(np.float32) / np.float32(255)).astype(a.peer or "float32")
    rest = np.flatnonzero(labels < 5)
    with tempfile.TemporaryDirectory() as work:
        learn, first, second, model = (f"{work}/{name}" for name in ("5-9.parquet", "first.parquet", "second.parquet", "model"))
        for path, rows in ((learn, unlabelled), (first, rest[:len(rest) // 2]), (second, rest[len(rest) // 2:])):
            pq.write_table(digits.table(images[rows], labels[rows]), path)

        def run(*words):
            return subprocess.run([a.aefeat, *map(str, words), "--progress", "none"], check=True, capture_output=True, text=True).stdout

        def score():
            """Final cost, and accuracy on the second half of the digits 0 to 4."""
            for path in (first, second):
                run("transform", "-m", model, "--layout", "list", "-o", path + ".code", path)
            cost = json.loads(subprocess.run([a.aefeat, "evaluate", "--json", "-m", model, learn], check=True, capture_output=True).stdout)["cost"]
            return cost["total"], f"{100 - probe(a.aefeat, 'code', first + '.code', '--test', second + '.code')[0]:.2f} %"

        def row(seed, training, seconds):
            final, right = score()
            print(f"| {seed} | {training} | {final:.4f} | {seconds[0]:.1f} | {seconds[1]:.1f} | {right} |", flush=True)
            return final

        print(f"pixels: {100 - probe(a.aefeat, 'image', first, '--test', second)[0]:.2f} % right\n", flush=True)
        print("| seed | training | final cost | seconds | seconds of all cores | right |\n|---|---|---|---|---|---|", flush=True)
        for seed in a.seeds.split(","):
            fit = ["fit", "--hidden", a.hidden, "--sparsity", RHO, "--sparsity-weight", BETA, "--weight-decay", DECAY, "--seed", seed, "--memory", "4GiB", "-o", model, learn]
            for way in ways:
                start = clock(resource.RUSAGE_CHILDREN)
                run(*fit, *shlex.split(way))
                row(seed, f"`{way}`", clock(resource.RUSAGE_CHILDREN) - start)
            if a.peer:
                run(*fit, "--epochs", 0)
                weights, r, seconds = peer(model, x, a.iterations)
                save_file(weights, model + ".peer")
                run(*fit, "--init", model + ".peer", "--epochs", 0)
                final = row(seed, f"numpy ({a.peer}) and scipy, {r.nfev} evaluations", seconds)
                assert abs(final - r.fun) < 1e-5 * r.fun, f"the same weights cost {final} here and {r.fun} in numpy"


if __name__ == "__main__":
    main()
