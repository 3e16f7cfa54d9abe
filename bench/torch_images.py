"""Time pooled features of images beside PyTorch's conv2d.

    python3 torch_images.py AEFEAT MODEL IMAGES.parquet [--runs 5] [--threads 2]

MODEL is one of 6x6 patches in colour with preprocessing zca; IMAGES has a column
image of pictures, all of one size. PyTorch does what `aefeat
image-features --pool sum` does: whitening and the mean are folded into the
weights, the contrast of each patch comes from sums over windows, one conv2d
makes the codes of a batch, and they are added up over 2x2 cells. Its time is
that of the codes and sums alone, its images decoded before; ours is that of the
whole command, images decoded and features written. They run in turn. Prints the
median seconds, processor seconds of all cores, and the largest difference.
Needs numpy, pyarrow, safetensors and PyTorch.
"""
import argparse
import json
import os
import resource
import struct
import subprocess
import tempfile
import time

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.numpy import load_file

SIDE = 6


def settings(path):
    with open(path, "rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        return json.loads(json.loads(f.read(length))["__metadata__"]["config"])


class Pooler:
    def __init__(self, path):
        t, config = load_file(path), settings(path)
        n = SIDE * SIDE * 3
        folded = t["encoder.weight"].astype(np.float64) @ t["preprocess.whiten"].astype(np.float64)
        bias = t["encoder.bias"] - folded @ t["preprocess.mean"]
        folded -= folded.mean(1, keepdims=True)  # takes the mean of a patch off
        shape = (-1, SIDE, SIDE, 3)
        self.weight = torch.from_numpy(folded.astype(np.float32).reshape(shape).transpose(0, 3, 1, 2).copy())
        self.bias = torch.from_numpy(bias.astype(np.float32))[:, None, None]
        self.epsilon, self.n = config["preprocess"]["contrast"], n
        self.activate = {"relu": torch.relu_, "sigmoid": torch.sigmoid_, "linear": lambda z: z, "tanh": torch.tanh_}[config["activation"]]

    @torch.inference_mode()
    def __call__(self, images):
        x = images.permute(0, 3, 1, 2).float() / 255
        # The variance of a patch, about the mean of the picture against
        # rounding.
        x = x - x.mean((1, 2, 3), keepdim=True)
        window = lambda v: torch.nn.functional.avg_pool2d(v.mean(1, keepdim=True), SIDE, 1)
        variance = (window(x * x) - window(x) ** 2).clamp_(min=0) * (self.n / (self.n - 1))
        z = torch.nn.functional.conv2d(x, self.weight)
        z = self.activate(z.mul_((variance + self.epsilon).rsqrt_()).add_(self.bias))
        down, right = (z.shape[2] + 1) // 2, (z.shape[3] + 1) // 2
        cells = [z[:, :, a, b].sum((2, 3)) for a in (slice(down), slice(down, None)) for b in (slice(right), slice(right, None))]
        return torch.cat(cells, 1)


def clock(who):
    used = resource.getrusage(who)
    return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("model")
    p.add_argument("images")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=16)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    pooler, times = Pooler(a.model), ([], [])
    with tempfile.TemporaryDirectory() as work:
        out, pixels = f"{work}/features.parquet", f"{work}/pixels.parquet"
        # JPEG decoders differ in how they spread colours: both get ours.
        subprocess.run([a.aefeat, "patches", "--size", "image", "--progress", "none", "-o", pixels, a.images], check=True)
        table = pq.read_table(pixels, columns=["patch"])
        shape = json.loads(table.schema.field(0).metadata[b"ARROW:extension:metadata"])["shape"] if table.schema.field(0).metadata else table.schema.field(0).type.shape
        column = table.column(0).combine_chunks()
        values = getattr(column, "storage", column).flatten().to_numpy()
        images = torch.from_numpy(values.reshape(-1, *shape).copy())
        for _ in range(a.runs):
            start = clock(resource.RUSAGE_CHILDREN)
            subprocess.run([a.aefeat, "image-features", "-m", a.model, "--pool", "sum", "--progress", "none", "-o", out, a.images],
                           check=True, env={**os.environ, "GOMAXPROCS": str(a.threads)})
            times[0].append(clock(resource.RUSAGE_CHILDREN) - start)
            start = clock(resource.RUSAGE_SELF)
            theirs = torch.cat([pooler(part) for part in images.split(a.batch)])
            times[1].append(clock(resource.RUSAGE_SELF) - start)
        ours = np.stack(pq.read_table(out, columns=["code"]).column(0).to_numpy())
    for name, t in zip(("aefeat", "PyTorch"), times):
        wall, used = np.median(t, 0)
        print(f"{name}: {wall:.2f} s, {used:.2f} processor s, {len(images) / wall:.0f} images/s")
    ratios = np.median(np.array(times[1]) / np.array(times[0]), 0)
    print(f"PyTorch takes {ratios[0]:.2f} times the seconds, {ratios[1]:.2f} times the processor seconds")
    print(f"largest difference {np.abs(ours - theirs.numpy()).max() / np.abs(ours).max():.1e} of the largest feature")


if __name__ == "__main__":
    main()
