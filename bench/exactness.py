"""Compare cost and gradient with an independent computation in float64.

    python3 exactness.py AEFEAT [ROWS]

AEFEAT is the built command. For each configuration, random weights go through
`fit --init --epochs 0` and `evaluate --json`, whose cost must be PyTorch's to
1e-5; then one epoch of plain full-batch gradient descent with learning rate 1
must move every tensor by minus the gradient that automatic differentiation
gives, to 2e-5 of its largest element plus the weights' own rounding.
Needs numpy, pyarrow, torch and safetensors.
"""
import json
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.numpy import load_file, save_file

torch.set_default_dtype(torch.float64)
ACTIVATION = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "linear": lambda z: z}

BASE = dict(objective="plain", hidden=20, activation="sigmoid", output_activation="sigmoid", loss="squared",
            tied=False, sparsity=0.1, sparsity_weight=0.0, weight_decay=0.0, contraction=0.0)
CASES = {
    "plain": {},
    "sparse": dict(objective="sparse", sparsity=0.05, sparsity_weight=3.0, weight_decay=3e-3),
    "sparse overcomplete": dict(objective="sparse", hidden=90, sparsity_weight=3.0, weight_decay=1e-4),
    "sparse tied": dict(objective="sparse", tied=True, sparsity_weight=2.0, weight_decay=1e-3),
    "sparse cross-entropy": dict(objective="sparse", loss="cross-entropy", sparsity_weight=1.0),
    "sparse tanh": dict(objective="sparse", activation="tanh", output_activation="linear", sparsity_weight=2.0),
    "contractive": dict(objective="contractive", contraction=0.1),
    "contractive tanh": dict(objective="contractive", contraction=0.2, activation="tanh", output_activation="linear"),
    "contractive tied cross-entropy": dict(objective="contractive", contraction=0.1, tied=True, loss="cross-entropy"),
    "sparse contractive": dict(objective="contractive", contraction=0.1, sparsity_weight=1.0, weight_decay=1e-3),
    "relu": dict(activation="relu", output_activation="linear", weight_decay=1e-3),
    "linear": dict(activation="linear", output_activation="linear", weight_decay=1e-3, contraction=0.1, objective="contractive"),
    "relu contractive": dict(activation="relu", output_activation="linear", contraction=0.1, objective="contractive"),
}


def cost(c, x, w1, b1, w2, b2):
    f, g = ACTIVATION[c["activation"]], ACTIVATION[c["output_activation"]]
    z = x @ w1.T + b1
    a = f(z)
    u = a @ (w1 if c["tied"] else w2.T) + b2
    if c["loss"] == "squared":
        rec = 0.5 * ((g(u) - x) ** 2).sum(1).mean()
    else:
        rec = (torch.nn.functional.softplus(u) - x * u).sum(1).mean()
    dec = c["weight_decay"] / 2 * ((w1 ** 2).sum() + (0 if c["tied"] else (w2 ** 2).sum()))
    mean = a.mean(0)
    if c["activation"] == "tanh":
        mean = (1 + mean) / 2
    rho, spa, con = c["sparsity"], torch.zeros(()), torch.zeros(())
    if c["sparsity_weight"]:
        spa = c["sparsity_weight"] * (rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))).sum()
    if c["contraction"]:
        slope = {"sigmoid": lambda: a * (1 - a), "tanh": lambda: 1 - a ** 2,
                 "relu": lambda: (z > 0).to(z.dtype), "linear": lambda: torch.ones_like(z)}[c["activation"]]()
        con = c["contraction"] * ((slope ** 2) @ (w1 ** 2).sum(1)).mean()
    return rec, dec, spa, con


def flags(c):
    out = []
    for k, v in c.items():
        if k == "tied":
            out += ["--tied"] if v else []
        elif k in ("sparsity", "sparsity_weight") and c["activation"] in ("relu", "linear"):
            continue
        else:
            out += ["--" + k.replace("_", "-"), str(v)]
    return out


def main():
    command, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    n, rng, failed = 49, np.random.default_rng(7), 0
    x = rng.uniform(0, 1, (rows, n)).astype(np.float32)
    with tempfile.TemporaryDirectory() as tmp:
        data = f"{tmp}/x.parquet"
        pq.write_table(pa.table({"patch": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), n)}), data)
        print(f"{'configuration':34} {'cost error':>12} {'gradient error':>15}")
        for name, change in CASES.items():
            c = {**BASE, **change}
            h = c["hidden"]
            w = {"encoder.weight": rng.normal(0, .2, (h, n)), "encoder.bias": rng.normal(0, .1, h),
                 "decoder.weight": rng.normal(0, .2, (n, h)), "decoder.bias": rng.normal(0, .1, n)}
            w = {k: v.astype(np.float32) for k, v in w.items() if not (c["tied"] and k == "decoder.weight")}
            save_file(w, f"{tmp}/w.safetensors")
            run = lambda *a: subprocess.run([command, *a], check=True, capture_output=True, text=True).stdout
            run("fit", *flags(c), "--init", f"{tmp}/w.safetensors", "--epochs", "0", "-o", f"{tmp}/m0.safetensors", data)
            got = json.loads(run("evaluate", "--json", "-m", f"{tmp}/m0.safetensors", data))["cost"]
            run("fit", *flags(c), "--init", f"{tmp}/w.safetensors", "--epochs", "1", "--optimizer", "sgd", "--momentum", "0",
                "--learning-rate", "1", "--batch-size", "0", "-o", f"{tmp}/m1.safetensors", data)
            moved = load_file(f"{tmp}/m1.safetensors")

            t = {k: torch.tensor(v.astype(np.float64), requires_grad=True) for k, v in w.items()}
            terms = cost(c, torch.tensor(x.astype(np.float64)), t["encoder.weight"], t["encoder.bias"],
                         t.get("decoder.weight"), t["decoder.bias"])
            total = sum(terms)
            total.backward()
            want = dict(zip(["reconstruction", "weight_decay", "sparsity", "contraction"], map(float, terms)), total=float(total))
            cost_error = max(abs(got[k] - v) / max(abs(v), 1e-12) for k, v in want.items() if v)
            grad_error = 0.0
            for k, v in w.items():
                g = t[k].grad.numpy()
                rounding = np.spacing(np.abs(v).max() + np.abs(g).max()).astype(np.float64)
                error = np.abs((v.astype(np.float64) - moved[k].astype(np.float64)) - g).max()
                grad_error = max(grad_error, (error - rounding) / np.abs(g).max())
            bad = cost_error > 1e-5 or grad_error > 2e-5
            failed += bad
            print(f"{name:34} {cost_error:12.2e} {max(grad_error, 0):15.2e}{'  FAILED' if bad else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
