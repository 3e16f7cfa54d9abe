"""Repeat the published experiments in PyTorch.

    python3 peers.py denoising IDX_FOLDER OUT [--seed 1] [--epochs 60]
    python3 peers.py k-sparse IDX_FOLDER OUT [--seed 1] [--epochs 30]

denoising: 1000 tied units, 25% masked, cross-entropy. k-sparse: 1000 tied
linear units, k falling from 100 to 25, codes of 50. Both use Adam at 1e-3,
batches of 256 and a rate that falls as a cosine.

Writes OUT-train.parquet and OUT-test.parquet, the codes and labels of all
rows, for `aefeat probe`. Needs numpy, pyarrow and torch.
"""
import argparse
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

import digits


def initial(n, h):
    r = (6 / (n + h + 1)) ** 0.5
    return torch.empty(h, n).uniform_(-r, r).requires_grad_(), torch.zeros(h, requires_grad=True), torch.zeros(n, requires_grad=True)


def epochs(x, parameters, cost, a):
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    steps = a.epochs * -(-len(x) // 256)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    done = 0
    for epoch in range(1, a.epochs + 1):
        start, total = time.perf_counter(), 0.0
        for rows in torch.randperm(len(x)).split(256):
            j = cost(x[rows], done / steps)
            optimizer.zero_grad(set_to_none=True)
            j.backward()
            optimizer.step()
            falling.step()
            total, done = total + j.detach() * len(rows), done + 1
        print(f"epoch {epoch} {time.perf_counter() - start:.2f} s cost {float(total) / len(x):.4f}", flush=True)


def denoising(x, a):
    w, b, c = initial(x.shape[1], 1000)
    encode = lambda x: torch.sigmoid(torch.nn.functional.linear(x, w, b))

    def cost(clean, _):
        u = encode(clean * (torch.rand_like(clean) >= 0.25)) @ w + c
        return torch.nn.functional.binary_cross_entropy_with_logits(u, clean, reduction="sum") / len(clean)

    epochs(x, [w, b, c], cost, a)
    return encode


def k_sparse(x, a):
    w, b, c = initial(x.shape[1], 1000)

    def encode(x, k=50):
        z = torch.nn.functional.linear(x, w, b)
        return z * torch.zeros_like(z).scatter_(1, z.topk(k, 1).indices, 1)

    def cost(x, done):
        y = encode(x, round(max(25, 100 - 150 * done))) @ w + c
        return 0.5 * (y - x).square().sum() / len(x)

    epochs(x, [w, b, c], cost, a)
    return encode


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=["denoising", "k-sparse"])
    p.add_argument("folder")
    p.add_argument("out")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--epochs", type=int)
    a = p.parse_args()
    a.epochs = a.epochs or {"denoising": 60, "k-sparse": 30}[a.what]
    torch.manual_seed(a.seed)
    data = {s: digits.read(a.folder, s) for s in ("train", "test")}
    rows = lambda split: torch.from_numpy(data[split][0].astype(np.float32) / np.float32(255))
    encode = {"denoising": denoising, "k-sparse": k_sparse}[a.what](rows("train"), a)
    for split, (_, labels) in data.items():
        with torch.inference_mode():
            code = torch.cat([encode(part) for part in rows(split).split(4096)]).numpy()
        column = pa.FixedSizeListArray.from_arrays(pa.array(code.ravel()), code.shape[1])
        pq.write_table(pa.table({"code": column, "label": labels}), f"{a.out}-{split}.parquet", use_dictionary=False, row_group_size=16_384)


if __name__ == "__main__":
    main()
