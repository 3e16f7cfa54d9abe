"""Measure aefeat beside its peers: the speed tables of RESULTS.md and SEARCHES.md.

    python3 compare.py IDX_FOLDER [--runs 5] [--out speed.md] [--no-torch]
        [--only gemm,train,sklearn,transform,fit,inspect]
        [--hidden 196,500,1000,25,1600] [--objectives sparse,denoising]

Builds the command and the OpenBLAS program, then times ours and the peer in
turn (A B A B ...), each as a whole process or, for training, by the epochs
after the first. Prints the medians and the median ratio. OPENBLAS_CORETYPE and
OPENBLAS_L2_SIZE are unset for the peers. Needs Go, a C compiler with
libopenblas, GNU time, and numpy, pyarrow, torch, scikit-learn and safetensors.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ENV = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
SHAPES = [(256, 196, 784), (256, 784, 196), (1024, 500, 784), (784, 500, 1024), (4096, 1600, 108), (4096, 25, 64)]
median = statistics.median
lines = []


def say(line=""):
    print(line, flush=True)
    lines.append(line)


def output(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=more.pop("env", ENV), **more)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout + done.stderr


def timed(*command):
    """Wall seconds, CPU seconds and peak MiB of a whole process."""
    with tempfile.NamedTemporaryFile("r") as report:
        output("/usr/bin/time", "-f", "%e %U %S %M", "-o", report.name, *command)
        wall, user, system, kib = map(float, report.read().split())
    return wall, user + system, kib / 1024


def alternate(runs, ours, peer):
    a, b = [], []
    for _ in range(runs):
        a.append(ours())
        b.append(peer())
    return a, b


def by_column(samples):
    return [median(s) for s in zip(*samples)]


def openblas(a):
    program = a.work / "gemm"
    if not program.exists():
        output("cc", "-O2", "-o", program, HERE / "openblas/gemm.c", "-lopenblas")
    return program


def step_rate(a, n, h, batch=256):
    """OpenBLAS's GFLOP/s for the five products of a step, by their median calls."""
    products = [(batch, h, n, "NT"), (batch, n, h, "NT"), (batch, h, n, "NN"), (h, n, batch, "TN"), (n, h, batch, "TN")]
    seconds = 0
    for p in products:
        row = output(openblas(a), os.cpu_count(), *p).splitlines()[-1].split()
        seconds += 1 / float(row[6])
    return len(products) / seconds


def gemm(a):
    say("### Matrix product, GFLOP/s (fastest call of each round, median of the rounds)\n")
    say(output("go", "run", "-tags", "openblas", "./bench/products", cwd=HERE.parent))


def epochs(text):
    return [json.loads(row) for row in text.splitlines() if row.startswith("{")]


def train(a):
    say("### Training, seconds an epoch (rows in memory, epochs after the first; GFLOP/s = 10 m n h over the time)\n")
    say("OpenBLAS is the rate of a step's five products alone, by the median call, measured in turn with the epochs.\n")
    say("| data | objective | aefeat s | GFLOP/s | OpenBLAS | ratio | PyTorch s | compiled s | times faster than eager | than compiled |\n|---|---|---|---|---|---|---|---|---|---|")
    small, colour = a.work / "small.parquet", a.work / "colour.parquet"
    random_patches(small, 200_000, 64)
    random_patches(colour, 100_000, 108)
    jobs = [(a.digits, 60_000, 784, h, d) for d in (0, 0.25) for h in (196, 500, 1000)]
    jobs += [(small, 200_000, 64, 25, 0), (colour, 100_000, 108, 1600, 0)]
    for data, m, n, h, denoise in jobs:
        if str(h) not in a.hidden.split(",") or ("denoising" if denoise else "sparse") not in a.objectives:
            continue
        objective = ["--objective", "denoising", "--corruption", denoise] if denoise else ["--objective", "sparse"]

        def ours():
            text = output(a.aefeat, "fit", "--hidden", h, "--epochs", 4, *objective, "--memory", "4GiB", "--progress", "json",
                          "-o", a.work / "m.safetensors", data)
            return median(m / e["rows_per_second"] for e in epochs(text) if e["event"] == "epoch" and e["epoch"] > 1)

        def peer(*flags):
            text = output(sys.executable, HERE / "torch_fit.py", data, "--hidden", h, "--epochs", 3, "--denoise", denoise, *flags)
            return median(float(row.split()[2]) for row in text.splitlines() if row.startswith("epoch"))

        torch = (lambda *flags: float("nan")) if a.no_torch else peer
        runs = [(step_rate(a, n, h), ours(), torch(), torch("--compile")) for _ in range(a.runs)]
        rate, us, eager, compiled = by_column(runs)
        flop = 10 * m * n * h / 1e9
        share, faster, than_compiled = by_column([(flop / r[1] / r[0], r[2] / r[1], r[3] / r[1]) for r in runs])
        say(f"| {m:,} x {n} to {h} | {'denoising 25%' if denoise else 'sparse'} | {us:.3f} | {flop / us:.0f} | {rate:.0f} | {share:.2f} "
            f"| {eager:.3f} | {compiled:.3f} | {faster:.1f} | {than_compiled:.1f} |")
    say()


def random_patches(path, rows, n):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    rng = np.random.default_rng(3)
    # Smooth patches, sums of a few random waves: there is something to learn.
    t = np.arange(n) / n
    x = sum(rng.uniform(0, .25, (rows, 1)) * (1 + np.cos(2 * np.pi * (f * t + rng.uniform(0, 1, (rows, 1))))) for f in (1, 2))
    values = pa.array(np.clip(x, 0, 1).astype(np.float32).ravel())
    pq.write_table(pa.table({"image": pa.FixedSizeListArray.from_arrays(values, n)}), path, use_dictionary=False)


def sklearn(a):
    say("### scikit-learn's MLPRegressor (the same sizes; it has no sparsity term), seconds an epoch\n")
    say("| data | aefeat plain | MLPRegressor | times faster |\n|---|---|---|---|")
    program = ("import sys,time,warnings,numpy as np;warnings.simplefilter('ignore');sys.path.insert(0,sys.argv[1]);import torch_fit;"
               "from sklearn.neural_network import MLPRegressor;x=torch_fit.rows(sys.argv[2]);"
               "r=MLPRegressor(hidden_layer_sizes=(196,),activation='logistic',batch_size=256,learning_rate_init=2e-3,alpha=3e-3,max_iter=1,warm_start=True);"
               "r.fit(x,x);t=time.perf_counter();r.fit(x,x);print(time.perf_counter()-t)")

    def ours():
        text = output(a.aefeat, "fit", "--objective", "plain", "--epochs", 4, "--progress", "json", "--memory", "4GiB", "-o", a.work / "m.safetensors", a.digits)
        return median(60_000 / e["rows_per_second"] for e in epochs(text) if e["event"] == "epoch" and e["epoch"] > 1)

    us, them = alternate(a.runs, ours, lambda: float(output(sys.executable, "-c", program, HERE, a.digits).split()[-1]))
    say(f"| 60,000 x 784 to 196 | {median(us):.3f} | {median(them):.3f} | {median(them) / median(us):.1f} |\n")


def row(name, us, them):
    u, t = by_column(us), by_column(them)
    faster = median(q[0] / p[0] for p, q in zip(us, them))
    say(f"| {name} | {u[0]:.2f} | {u[1]:.2f} | {u[2]:.0f} | {t[0]:.2f} | {t[1]:.2f} | {t[2]:.0f} | {faster:.2f} |")


HEAD = "| work | wall s | CPU s | peak MiB | peer wall s | peer CPU s | peer peak MiB | times faster |\n|---|---|---|---|---|---|---|---|"


def transform(a):
    say("### Transform, 1 million rows, Parquet to Parquet, every input column kept\n")
    say(HEAD)
    data, model = a.work / "million.parquet", a.work / "t.safetensors"
    output(sys.executable, HERE / "digits.py", a.idx, "train", data, "--rows", 1_000_000)
    output(a.aefeat, "fit", "--epochs", 1, "--progress", "none", "-o", model, a.digits)
    ours = lambda: timed(a.aefeat, "transform", "-m", model, "-o", a.work / "ours.parquet", "--progress", "none", data)
    peer = lambda: timed(sys.executable, HERE / "torch_transform.py", model, data, a.work / "peer.parquet")
    row("pyarrow + PyTorch", *alternate(a.runs, ours, peer))
    copy = a.work / "copy"
    output("go", "build", "-o", copy, "./bench/copycodes", cwd=HERE.parent)
    output(a.aefeat, "transform", "-m", model, "-o", a.work / "codes.parquet", "--keep", "none", "--progress", "none", data)
    row("the same program without the model, codes computed before", *alternate(a.runs, ours, lambda: timed(copy, "-codes", a.work / "codes.parquet", data, a.work / "copy.parquet")))
    say()


def fit(a):
    say("### Fit from Parquet, start to finish, one pass over 60,000 digits, 196 hidden units\n")
    say(HEAD)
    for name, flags in (("default memory", []), ("--memory 64MiB", ["--memory", "64MiB"])):
        ours = lambda: timed(a.aefeat, "fit", "--epochs", 1, *flags, "--progress", "none", "-o", a.work / "m.safetensors", a.digits)
        peer = lambda: timed(sys.executable, HERE / "torch_fit.py", a.digits, "--epochs", 1, "-o", a.work / "p.safetensors")
        row(f"pyarrow + PyTorch, {name}", *alternate(a.runs, ours, peer))
    say()


def inspect(a):
    small = HERE.parent / "testdata/digits_test.parquet"
    samples = []
    for _ in range(4 * a.runs):
        start = time.perf_counter()
        output(a.aefeat, "inspect", small)
        samples.append(time.perf_counter() - start)
    say(f"`aefeat inspect` on a small file, start to finish: {1000 * median(samples):.0f} ms\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("idx", type=pathlib.Path)
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--only", default="gemm,train,sklearn,transform,fit,inspect")
    p.add_argument("--hidden", default="196,500,1000,25,1600", help="the sizes to train")
    p.add_argument("--no-torch", action="store_true", help="train without PyTorch beside")
    p.add_argument("--objectives", default="sparse,denoising")
    p.add_argument("--out", type=pathlib.Path)
    a = p.parse_args()
    a.idx = a.idx.resolve()
    with tempfile.TemporaryDirectory() as work:
        a.work = pathlib.Path(work)
        a.aefeat = a.work / "aefeat"
        output("go", "build", "-o", a.aefeat, "./cmd/aefeat", cwd=HERE.parent)
        a.digits = a.work / "digits.parquet"
        output(sys.executable, HERE / "digits.py", a.idx, "train", a.digits)
        cpu = next((r.split(":")[1].strip() for r in open("/proc/cpuinfo") if r.startswith("model name")), platform.processor())
        import numpy, pyarrow, sklearn as sk, torch
        say(f"{os.cpu_count()} cores, {cpu}; {output('go', 'version').strip()}; Python {platform.python_version()}, torch {torch.__version__}, "
            f"pyarrow {pyarrow.__version__}, numpy {numpy.__version__}, scikit-learn {sk.__version__}; {a.runs} runs each, medians.\n")
        for name in a.only.split(","):
            globals()[name](a)
    if a.out:
        a.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
