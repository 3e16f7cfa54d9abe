"""The peer of `aefeat fit`: the same autoencoder and file, in PyTorch on the CPU.

    python3 torch_fit.py DATA.parquet [--hidden 196] [--epochs 5] [--batch 256]
        [--denoise 0.25] [--compile] [--threads 2] [-o weights.safetensors]

Settings are PyTorch's best that we know: all rows in memory as float32, fused
Adam, two threads, oneDNN, no gradient graph kept between steps. --compile adds
torch.compile, which needs a C++ compiler. Prints the seconds of each epoch
after the data is in memory. Needs numpy, pyarrow, torch and safetensors.
"""
import argparse
import time

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file


def rows(path):
    column = pq.read_table(path, columns=["image"]).column("image").combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False)
    x = values.reshape(len(column), -1)
    return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--hidden", type=int, default=196)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--denoise", type=float, default=0.0)
    p.add_argument("--compile", action="store_true")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("-o", "--out")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    x = torch.from_numpy(rows(a.data).copy())
    m, n = x.shape
    h, rho, beta, decay = a.hidden, 0.1, 0.0 if a.denoise else 3.0, 0.0 if a.denoise else 3e-3
    r = (6 / (n + h + 1)) ** 0.5
    w1 = torch.empty(h, n).uniform_(-r, r).requires_grad_()
    b1 = torch.zeros(h, requires_grad=True)
    w2 = torch.empty(n, h).uniform_(-r, r).requires_grad_()
    b2 = torch.zeros(n, requires_grad=True)
    optimizer = torch.optim.Adam([w1, b1, w2, b2], lr=2e-3, fused=True)

    def cost(clean):
        given = clean
        # Independent bits: an exact proportion would cost PyTorch more.
        if a.denoise:
            given = clean * (torch.rand_like(clean) >= a.denoise)
        code = torch.sigmoid(torch.nn.functional.linear(given, w1, b1))
        y = torch.sigmoid(torch.nn.functional.linear(code, w2, b2))
        j = 0.5 * torch.nn.functional.mse_loss(y, clean, reduction="sum") / clean.shape[0]
        if beta:
            q = code.mean(0)
            j = j + beta * (rho * torch.log(rho / q) + (1 - rho) * torch.log((1 - rho) / (1 - q))).sum()
            j = j + decay / 2 * (w1.square().sum() + w2.square().sum())
        return j

    if a.compile:
        cost = torch.compile(cost)
        cost(x[:a.batch]).backward()
        optimizer.zero_grad(set_to_none=True)
    for epoch in range(1, a.epochs + 1):
        start, total = time.perf_counter(), 0.0
        order = torch.randperm(m) if epoch > 1 else torch.arange(m)
        for i in range(0, m - a.batch + 1, a.batch):
            j = cost(x[order[i:i + a.batch]])
            optimizer.zero_grad(set_to_none=True)
            j.backward()
            optimizer.step()
            total += j.detach()
        print(f"epoch {epoch} {time.perf_counter() - start:.3f} s cost {float(total) / (m // a.batch):.4f}", flush=True)
    if a.out:
        save_file({"encoder.weight": w1.detach(), "encoder.bias": b1.detach(),
                   "decoder.weight": w2.detach(), "decoder.bias": b2.detach()}, a.out)


if __name__ == "__main__":
    main()
