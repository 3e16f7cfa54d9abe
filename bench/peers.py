"""The published experiments in PyTorch.

    python3 peers.py denoising IDX_FOLDER OUT [--seed 1] [--epochs 60]    # 1000 tied units, 25% masked, cross-entropy
    python3 peers.py k-sparse IDX_FOLDER OUT [--seed 1] [--epochs 30]     # 1000 tied linear units, k 100 to 25, codes of 50

Adam at 1e-3, batches of 256 and a rate that falls as a cosine. Writes
OUT-train.npy and OUT-test.npy, the codes of all rows, for softmax.py. Needs
numpy and torch.
"""
import argparse
import time

import numpy as np
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
    rows = {s: torch.from_numpy(digits.read(a.folder, s)[0].astype(np.float32) / 255) for s in ("train", "test")}
    encode = {"denoising": denoising, "k-sparse": k_sparse}[a.what](rows["train"], a)
    with torch.inference_mode():
        codes = {s: torch.cat([encode(part) for part in x.split(4096)]).numpy() for s, x in rows.items()}
    for split, code in codes.items():
        np.save(f"{a.out}-{split}.npy", code)


if __name__ == "__main__":
    main()
