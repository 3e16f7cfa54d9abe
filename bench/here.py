"""How fast aefeat is on this machine, beside numpy's BLAS: one command.

    python3 bench/here.py [--runs 5] [--rows 60000] [--hidden 196]
        [--shapes 8] [--exec PROGRAM]

Prints the matrix products of a training step, on one core and on all, and an
epoch of smooth random patches, both beside numpy: Accelerate on a Mac (numpy's
wheels for macOS 14), OpenBLAS elsewhere. Ours and the peer alternate; figures
are medians of the runs, ratios over 1 mean that we are faster. Needs Go, numpy
and pyarrow.

--exec runs our programs through another, to try this script with an emulator:
GOARCH=arm64 python3 bench/here.py --runs 1 --rows 600 --shapes 1 --exec qemu-aarch64
"""
import argparse
import json
import os
import pathlib
import platform
import re
import sys
import tempfile
import time

import numpy as np

from compare import ENV, HERE, SHAPES, alternate, median, output, random_patches

BATCH, INPUTS = 256, 784


def processor():
    if sys.platform == "darwin":
        return output("sysctl", "-n", "machdep.cpu.brand_string").strip()
    text = pathlib.Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    part = re.search(r"model name\s*: (.*)", text) or re.search(r"(CPU part\s*: .*)", text)
    return part[1] if part else platform.processor() or platform.machine()


def threads(n):
    names = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return ENV | dict.fromkeys(names, str(n))


def numpy_seconds(m, n, k, transposes):
    """The seconds of each of numpy's products within 0.2 s, best first."""
    a = np.ones((k, m), np.float32).T if transposes[0] == "T" else np.ones((m, k), np.float32)
    b = np.ones((n, k), np.float32).T if transposes[1] == "T" else np.ones((k, n), np.float32)
    c, took = np.empty((m, n), np.float32), []
    np.matmul(a, b, out=c)
    while len(took) < 5 or len(took) < 400 and sum(took) < 0.2:
        start = time.perf_counter()
        np.matmul(a, b, out=c)
        took.append(time.perf_counter() - start)
    return sorted(took)


def peer(products, cores):
    """[best, median] seconds of numpy's products, in a process of its own whose
    BLAS uses so many threads."""
    program = "import sys, json, here; print(json.dumps([[t[0], here.median(t)] for t in (here.numpy_seconds(*p) for p in json.loads(sys.argv[1]))]))"
    return json.loads(output(sys.executable, "-c", program, json.dumps(products), env=threads(cores), cwd=HERE))


def products(a):
    print("| cores | (m,n,k) | transposes | aefeat GFLOP/s | numpy GFLOP/s | ratio |\n|---|---|---|---|---|---|", flush=True)
    test = a.work / "f32.test"
    output("go", "test", "-c", "-o", test, "./internal/f32", cwd=HERE.parent, env=os.environ)
    wanted = [(m, n, k, t) for m, n, k in SHAPES[:a.shapes] for t in ("NN", "NT", "TN")]

    def ours(cores):
        got = {}
        for m, n, k in SHAPES[:a.shapes]:
            text = output(*a.exec, test, "-test.run", "^$", "-test.bench", f"BenchmarkGemm/^{m}x{n}x{k}$",
                          "-test.benchtime", "1x" if a.exec else "200ms", "-test.cpu", cores)
            for hit in re.finditer(r"BenchmarkGemm/(\d+)x(\d+)x(\d+)/(\w\w)\S*\s.*?([\d.]+) best-GFLOP/s", text):
                got[(*map(int, hit.groups()[:3]), hit[4])] = float(hit[5])
        return [got[p] for p in wanted]

    for cores in sorted({1, os.cpu_count()}):
        us, them = alternate(a.runs, lambda: ours(cores), lambda: peer(wanted, cores))
        for i, (m, n, k, transposes) in enumerate(wanted):
            flop = 2 * m * n * k / 1e9
            x, y = [run[i] for run in us], [flop / run[i][0] for run in them]
            ratio = median(p / q for p, q in zip(x, y))
            print(f"| {cores} | ({m},{n},{k}) | {transposes} | {median(x):.1f} | {median(y):.1f} | {ratio:.2f} |", flush=True)
    print()


def epoch(a):
    n, h = INPUTS, a.hidden
    data, program = a.work / "rows.parquet", a.work / "aefeat"
    random_patches(data, a.rows, n)
    output("go", "build", "-o", program, "./cmd/aefeat", cwd=HERE.parent, env=os.environ)
    print(output(*a.exec, program, "version"))
    step = [(BATCH, h, n, "NT"), (BATCH, n, h, "NT"), (BATCH, h, n, "NN"), (h, n, BATCH, "TN"), (n, h, BATCH, "TN")]

    def ours():
        text = output(*a.exec, program, "fit", "--hidden", h, "--epochs", 4, "--batch-size", BATCH, "--memory", "4GiB",
                      "--progress", "json", "-o", a.work / "m.safetensors", data)
        events = [json.loads(row) for row in text.splitlines() if row.startswith("{")]
        return median(a.rows / e["rows_per_second"] for e in events if e["event"] == "epoch" and e["epoch"] > 1)

    us, them = alternate(a.runs, ours, lambda: sum(t[1] for t in peer(step, os.cpu_count())) * a.rows / BATCH)
    print(f"{a.rows:,} rows of {n} to {h}, an epoch in memory: {median(us):.3f} s; the five products of its steps alone in numpy: "
          f"{median(them):.3f} s; ratio {median(q / p for p, q in zip(us, them)):.2f}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--rows", type=int, default=60_000)
    p.add_argument("--hidden", type=int, default=196)
    p.add_argument("--shapes", type=int, default=len(SHAPES), help="how many sizes of products")
    p.add_argument("--exec", default="", help="run our programs through this one")
    a = p.parse_args()
    a.exec = a.exec.split()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    print(f"{os.cpu_count()} cores, {processor()}, {platform.platform()}; {output('go', 'version').strip()}; "
          f"numpy {np.__version__} with {blas['name']} {blas.get('version', '')}; {a.runs} runs\n", flush=True)
    with tempfile.TemporaryDirectory() as work:
        a.work = pathlib.Path(work)
        products(a)
        epoch(a)


if __name__ == "__main__":
    main()
