"""Large dictionaries: many k-sparse units on rows like embeddings, beside PyTorch.

    python3 dictionary.py FOLDER [--rows 1000000] [--inputs 768] [--hidden 16384]
        [--k 32] [--batch 1024] [--only rows,fit,steps] [--runs 3] [--steps 20]
        [--threads 2] [--data FILE.parquet --column NAME]

rows makes FOLDER/rows.parquet, unless it is there: 3 GB for a million rows of
768. fit trains one epoch on all of them in bounded memory, evaluates the model
on the first 50,000, and prints rows a second, peak memory, the normalised error
and the dead units. steps times steps with k settled, ours and PyTorch's in
turn, --runs times: of ours those of a fit of one epoch over the first rows,
reading included; of PyTorch's --steps of them with all rows in memory. Prints
medians. --data takes rows from elsewhere, such as digits, for steps.

A row is made like this, from seed 17: of 20,000 directions on the sphere, 16
are drawn, direction i with a chance in proportion to 1/sqrt(i+10); their weights
are exponential to the power 1.5, so that few weigh most; to their sum a common
mean of length 0.5 and gaussian noise of a tenth of its length are added; the
result has length 1. That is how embeddings look: one mean, some directions that
are common and many that are rare.

PyTorch has the same model: tied weights, linear codes, the k largest of a row,
squared error, weight decay, fused Adam. Its forms:

    dense       topk and scatter, two dense products, automatic differentiation
    compiled    the same through torch.compile
    autotuned   the same with max-autotune-no-cudagraphs
    bag         decode by embedding_bag, gradient by index_add_, both of k rows
    csr         the same products with sparse CSR matrices (MKL), by hand

Needs Go, GNU time, and numpy, scipy, pyarrow and torch; a C++ compiler for
compiled ones.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
DIRECTIONS, PARTS, GROUP = 20_000, 16, 8192
FORMS = ("dense", "compiled", "autotuned", "bag", "csr")
EVALUATED = 50_000


def make_rows(path, rows, n):
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(17)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    directions = unit(rng.standard_normal((DIRECTIONS, n), dtype=np.float32))
    mean = unit(rng.standard_normal(n, dtype=np.float32)) / 2
    chance = np.cumsum(1 / np.sqrt(np.arange(DIRECTIONS) + 10))
    chance /= chance[-1]
    schema = pa.schema([("embedding", pa.list_(pa.float32(), n))])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=False) as out:
        for first in range(0, rows, GROUP):
            m = min(GROUP, rows - first)
            which = np.searchsorted(chance, rng.random(m * PARTS))
            weight = rng.exponential(size=m * PARTS).astype(np.float32) ** 1.5
            x = csr_matrix((weight, which, np.arange(m + 1) * PARTS), (m, DIRECTIONS)) @ directions
            x = unit(x) + mean
            x = unit(x + 0.1 / np.sqrt(n) * rng.standard_normal((m, n), dtype=np.float32))
            values = pa.array(x.astype(np.float32).ravel())
            out.write_table(pa.table([pa.FixedSizeListArray.from_arrays(values, n)], schema))


def output(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=os.environ | more)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout + done.stderr


def last(*command):
    """The last line of standard output."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout.splitlines()[-1]


def flags(a):
    flags = ["--objective", "k-sparse", "--hidden", a.hidden, "--k", a.k, "--batch-size", a.batch, "--column", a.column]
    return flags if a.data else flags + ["--preprocess", "standardize"]


def fit(a, rows):
    """The fit of all rows."""
    model = a.folder / "dictionary.safetensors"
    with tempfile.NamedTemporaryFile("r") as report:
        text = output("/usr/bin/time", "-f", "%e %M", "-o", report.name, a.aefeat, "fit", *flags(a), "--epochs", 1,
                      "--progress", "json", "-o", model, rows)
        seconds, kib = map(float, report.read().split())
    m = pq.ParquetFile(rows).metadata.num_rows
    some = a.folder / "some.parquet"
    head(rows, some, EVALUATED)
    e = json.loads(output(a.aefeat, "evaluate", "-m", model, "--json", some).splitlines()[0])
    print(f"fit: {m:,} rows in {seconds:.0f} s, {m / seconds:,.0f} rows/s, peak {kib / 1024:.0f} MiB, "
          f"normalised error {e['nmse']:.4f}, {e['dead_units']} of {a.hidden} units dead", flush=True)


def head(source, path, rows):
    """Copies the first rows."""
    f = pq.ParquetFile(source)
    with pq.ParquetWriter(path, f.schema_arrow, compression="none", use_dictionary=False) as out:
        for batch in f.iter_batches(8192):
            out.write_batch(batch.slice(0, rows))
            rows -= batch.num_rows
            if rows <= 0:
                return


def ours(a, rows):
    """Rows a second of an epoch with k settled."""
    text = output(a.aefeat, "fit", *flags(a), "--epochs", 1, "--progress", "json", "-o", a.folder / "steps.safetensors", rows,
                  GOMAXPROCS=str(a.threads))
    return next(e["rows_per_second"] for e in map(json.loads, text.splitlines()) if e.get("event") == "epoch")


def steps(a, rows):
    some = a.folder / "steps.parquet"
    head(rows, some, a.ours * a.batch)
    forms = [f for f in FORMS if f in a.forms.split(",")]
    rates = {f: [] for f in ("ours", *forms)}
    for _ in range(a.runs):
        rates["ours"].append(ours(a, some))
        for f in forms:
            text = last(sys.executable, __file__, a.folder, "--peer", f, "--hidden", a.hidden, "--k", a.k, "--batch", a.batch,
                        "--steps", a.steps, "--column", a.column, "--threads", a.threads)
            rates[f].append(float(text))
    print("| form | rows/s | ms a step | ours is faster by |\n|---|---|---|---|")
    for f, r in rates.items():
        rate, faster = statistics.median(r), statistics.median(o / p for o, p in zip(rates["ours"], r))
        print(f"| {f} | {rate:,.0f} | {1000 * a.batch / rate:,.0f} | {faster:.2f} |", flush=True)


def peer(a):
    """Rows a second of PyTorch."""
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    column = pq.read_table(a.folder / "steps.parquet", columns=[a.column]).column(a.column).combine_chunks()
    x = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)[:16 * a.batch].astype(np.float32)
    if x.max() > 1:
        x /= 255  # pixels
    else:
        x = (x - x.mean(0)) / x.std(0)
    x = torch.from_numpy(np.ascontiguousarray(x))
    n, h, k, b, decay = x.shape[1], a.hidden, a.k, a.batch, 0.01
    w = torch.empty(h, n).uniform_(-1, 1).mul_((6 / (n + h + 1)) ** 0.5).requires_grad_()
    b1, b2 = torch.zeros(h, requires_grad=True), torch.zeros(n, requires_grad=True)
    optimizer = torch.optim.Adam([w, b1, b2], lr=4e-3, fused=True)

    def cost(x):
        z = torch.nn.functional.linear(x, w, b1)
        top = z.topk(k, sorted=False)
        code = torch.zeros_like(z).scatter(1, top.indices, top.values)
        y = torch.addmm(b2, code, w)
        return 0.5 * torch.nn.functional.mse_loss(y, x, reduction="sum") / b + decay / 2 * w.square().sum()

    if a.peer in ("compiled", "autotuned"):
        cost = torch.compile(cost, mode=None if a.peer == "compiled" else "max-autotune-no-cudagraphs")

    def automatic(x):
        optimizer.zero_grad(set_to_none=True)
        cost(x).backward()
        optimizer.step()

    @torch.no_grad()
    def by_hand(x):
        z = torch.addmm(b1, x, w.t())
        top = z.topk(k, sorted=False)
        where, value = top.indices, top.values
        if a.peer == "bag":
            y = torch.nn.functional.embedding_bag(where, w, per_sample_weights=value, mode="sum")
        else:
            starts = torch.arange(0, b * k + 1, k)
            where = where.sort(1)
            value = value.gather(1, where.indices)
            where = where.values
            code = torch.sparse_csr_tensor(starts, where.reshape(-1), value.reshape(-1), (b, h), check_invariants=False)
            y = code @ w
        d = (y + b2 - x) / b
        w.grad = decay * w
        if a.peer == "bag":
            dz = torch.stack([torch.mv(w[i], v) for i, v in zip(where, d)])
            for i in range(0, b, 128):  # so that products stay small
                part = value[i:i + 128, :, None] * d[i:i + 128, None] + dz[i:i + 128, :, None] * x[i:i + 128, None]
                w.grad.index_add_(0, where[i:i + 128].reshape(-1), part.reshape(-1, n))
        else:
            ones = torch.sparse_csr_tensor(starts, where.reshape(-1), torch.zeros(b * k), (b, h), check_invariants=False)
            dz = torch.sparse.sampled_addmm(ones, d, w.t(), beta=0.0).values().reshape(b, k)
            gradient = torch.sparse_csr_tensor(starts, where.reshape(-1), dz.reshape(-1), (b, h), check_invariants=False)
            w.grad += code.t().to_sparse_csr() @ d
            w.grad += gradient.t().to_sparse_csr() @ x
        b1.grad = torch.zeros(h).index_add_(0, where.reshape(-1), dz.reshape(-1))
        b2.grad = d.sum(0)
        optimizer.step()

    step = by_hand if a.peer in ("bag", "csr") else automatic
    batches = x.split(b)
    for i in range(3):
        step(batches[i])
    start = time.perf_counter()
    for i in range(a.steps):
        step(batches[i % len(batches)])
    print(a.steps * b / (time.perf_counter() - start))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--rows", type=int, default=1_000_000)
    p.add_argument("--inputs", type=int, default=768)
    p.add_argument("--hidden", type=int, default=16384)
    p.add_argument("--k", type=int, default=32)
    p.add_argument("--batch", type=int, default=1024)
    p.add_argument("--only", default="rows,fit,steps")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--steps", type=int, default=20, help="of PyTorch, after 3 to warm up")
    p.add_argument("--ours", type=int, default=40, help="steps of ours")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--forms", default=",".join(FORMS))
    p.add_argument("--data", type=pathlib.Path)
    p.add_argument("--column", default="embedding")
    p.add_argument("--aefeat", type=pathlib.Path, help="the command; built if not given")
    p.add_argument("--peer", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        return peer(a)
    a.folder.mkdir(exist_ok=True)
    if not a.aefeat:
        a.aefeat = a.folder / "aefeat"
        subprocess.run(["go", "build", "-o", a.aefeat.resolve(), "./cmd/aefeat"], cwd=HERE.parent, check=True)
    a.aefeat = a.aefeat.resolve()
    rows = a.data or a.folder / "rows.parquet"
    only = a.only.split(",")
    if "rows" in only and not rows.exists():
        make_rows(rows, a.rows, a.inputs)
    if "fit" in only:
        fit(a, rows)
    if "steps" in only:
        steps(a, rows)


if __name__ == "__main__":
    main()
