"""Time the k-sparse step beside the dense products that it does without.

    python3 ksparse.py [--runs 5] [--old TEST_BINARY] [--threads 1]

Builds the benchmark of the steps in ./model and the OpenBLAS program, and times
in turn a step (CPU milliseconds, the mean of some), the same of another version
if one is given (made there by `go test -c ./model`), and the five products of a
dense step alone. Prints medians and median ratios for each size, tied and not.
OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset unless they are given by --blas,
as in --blas OPENBLAS_CORETYPE=Zen; GODEBUG=cpu.avx512f=off gives the AVX2
kernels. Needs Go, a C compiler with libopenblas and taskset.
"""
import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SIZES = [(784, 1000, 25, 256, 40), (784, 4096, 32, 1024, 8), (768, 16384, 32, 1024, 3)]
median = statistics.median


def cpu(command, env):
    """CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def step(binary, name, steps, threads):
    """CPU milliseconds of a step, the start of the process left out."""
    env = dict(os.environ, GOMAXPROCS=str(threads))
    pin = ["taskset", "-c", f"0-{threads - 1}", binary, "-test.run", "^$", "-test.bench", name + "$", "-test.cpu", str(threads), "-test.benchtime"]
    return 1000 * (cpu(pin + [f"{steps + 1}x"], env) - cpu(pin + ["1x"], env)) / steps


def dense(program, n, h, batch, threads, blas):
    """CPU milliseconds of the five products of a dense step, by their median calls."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    env.update(blas)
    total = 0
    for p in [(batch, h, n, "NT"), (batch, n, h, "NN"), (batch, h, n, "NT"), (h, n, batch, "TN"), (h, n, batch, "TN")]:
        text = subprocess.run(["taskset", "-c", f"0-{threads - 1}", program, str(threads), *map(str, p)], check=True, env=env, capture_output=True, text=True).stdout
        total += threads * 2e-6 * batch * n * h / float(text.split()[-1])
    return total


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--old", help="a test binary of ./model of another version")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--blas", action="append", default=[])
    p.add_argument("--hidden", default="1000,4096,16384")
    a = p.parse_args()
    blas = dict(v.split("=", 1) for v in a.blas)
    with tempfile.TemporaryDirectory() as work:
        new, program = f"{work}/model.test", f"{work}/gemm"
        subprocess.run(["go", "test", "-c", "-o", new, "./model"], check=True, cwd=HERE.parent)
        subprocess.run(["cc", "-O2", "-o", program, HERE / "openblas/gemm.c", "-lopenblas"], check=True)
        print("| inputs, units, k, batch | weights | step, ms | other version | times faster | five products of OpenBLAS | times faster |\n|---|---|---|---|---|---|---|")
        for n, h, k, batch, steps in SIZES:
            if str(h) not in a.hidden.split(","):
                continue
            for tied in ("true", "false"):
                name = f"KSparse/{n}x{h}/k={k}/batch={batch}/tied={tied}"
                ours, old, products = [], [], []
                for _ in range(a.runs):
                    ours.append(step(new, name, steps, a.threads))
                    old.append(step(a.old, name, steps, a.threads) if a.old else float("nan"))
                    products.append(dense(program, n, h, batch, a.threads, blas))
                ratio = lambda other: median(o / s for o, s in zip(other, ours))
                print(f"| {n}, {h:,}, {k}, {batch:,} | {'tied' if tied == 'true' else 'untied'} | {median(ours):.1f} | {median(old):.1f} | {ratio(old):.2f} "
                      f"| {median(products):.1f} | {ratio(products):.2f} |", flush=True)


if __name__ == "__main__":
    main()
