"""Fit models to patches of photographs and say which filters are edges.

    python3 natural.py AEFEAT PHOTOGRAPHS [ROW...] [--fit FLAGS]... [--size 8]
        [--colour] [--rows 48000] [--seeds 0,1,2] [--picture OUT.png]

PHOTOGRAPHS is a folder of PNG files, such as the 24 of the Kodak suite, of
which `aefeat patches` cuts square patches at random places. ROW is a key of
ROWS, which says what the row fits and to which patches; without ROW or --fit
all of them run, after the controls. --fit tries flags of one's own on patches
of --size (grey, unless --colour). All figures are percentages of the filters:

  R2        a Gabor function (with a constant term, the best of 5 starts)
            explains 0.8 of the variance of the filter or more
  oriented  and its best 30 degrees hold most of its spectrum, of twice as many
            points as it has pixels
  wedge     its best 30 degrees hold most of a spectrum of 64 by 64 points: a
            stricter measure of orientation, without the Gabor function
  local     R2, and the centre of the Gabor function is inside the patch, its
            narrower sigma is below a quarter of the side, and spans at least
            0.12 cycles
  twins     another filter has a cosine above 0.9 with it, or below -0.9
  same      above 0.9: the others are the light and the dark of one edge, and
            a code that is never negative needs both

A filter is the row of a unit in encoder.weight, its mean taken off. After zca
that is the filter of the whitened row. --space input multiplies it with the
whitening, for the filter of the row before it. Of a colour filter the spatial
pattern of its strongest colour is judged. Needs numpy, safetensors, pyarrow,
and pillow for --picture.
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file

# What each row fits: side, channels, rows, flags.
ROWS = {
    "patch, 25 units": (8, 1, 48_000, "--hidden 25 --preprocess patch --optimizer lbfgs --sparsity .01 --sparsity-weight 3 --weight-decay .0001"),
    "100 units": (12, 1, 48_000, "--hidden 100 --preprocess zca --objective denoising --corruption .15 --sparsity .015 --learning-rate .003"),
    "pure denoising": (12, 1, 48_000, "--hidden 200 --preprocess zca --no-contrast --zca-epsilon .01 --objective denoising --tied --noise gaussian --corruption 1.5 "
                       "--sparsity-weight 0 --weight-decay 0 --batch-size 64 --learning-rate .005 --epochs 20"),
    **{f"{objective}, {side}x{side}{' colour' * (channels == 3)}, {rows}": (side, channels, rows, f"--hidden 100 --preprocess zca --objective {objective}")
       for objective in ("sparse", "denoising") for side, channels in ((8, 1), (12, 1), (6, 3)) for rows in (20_000, 48_000)},
}


def grid(side):
    """Coordinates of the pixels' middles, (pixels) each, from -side/2 up."""
    at = np.arange(side) - (side - 1) / 2
    y, x = np.meshgrid(at, at, indexing="ij")
    return x.ravel(), y.ravel()


def spectrum(w, side, pad=64):
    """Power of filters (h, side*side) without their mean, in a frame of pad by
    pad pixels, (h, pad, pad), and the frequencies in cycles a pixel."""
    w = (w - w.mean(1, keepdims=True)).reshape(-1, side, side)
    f = np.fft.fftfreq(pad)
    return np.abs(np.fft.fft2(w, (pad, pad))) ** 2, f[None, :] + 0 * f[:, None], f[:, None] + 0 * f[None, :]


def wedge(w, side, pad):
    """The share of each filter's spectrum in its best 30 degrees."""
    power, fx, fy = spectrum(w, side, pad)
    angle = np.degrees(np.arctan2(fy, fx)) % 180
    power[:, (fx == 0) & (fy == 0)] = 0
    best = 0
    for centre in range(0, 180, 5):
        best = np.maximum(best, power[:, np.abs((angle - centre + 90) % 180 - 90) <= 15].sum(1))
    return best / np.maximum(power.sum((1, 2)), 1e-30)


def starts(w, side):
    """Five first guesses of a Gabor function for each filter, (5, h, 6): centre,
    orientation, and logarithms of the frequency and both sigmas."""
    x, y = grid(side)
    power, fx, fy = spectrum(w, side)
    power[:, (fx < 0) | (np.hypot(fx, fy) < 0.03)] = 0
    energy = (w - w.mean(1, keepdims=True)) ** 2
    energy /= np.maximum(energy.sum(1, keepdims=True), 1e-30)
    centre = np.stack([energy @ x, energy @ y], 1)
    peak = energy.argmax(1)
    made = []
    for guess in range(5):
        flat = power.reshape(len(w), -1)
        at = flat.argmax(1)
        u, v = fx.ravel()[at], fy.ravel()[at]
        if guess in (2, 4):  # the next peak, away from the first
            near = (np.hypot(fx[None] - u[:, None, None], fy[None] - v[:, None, None]) < 0.5 / side)
            second = np.where(near, 0, power).reshape(len(w), -1).argmax(1)
            u, v = fx.ravel()[second], fy.ravel()[second]
        c = np.stack([x[peak], y[peak]], 1) if guess in (1, 4) else centre
        sigma = side * [0.25, 0.15, 0.25, 0.45, 0.15][guess]
        made.append(np.column_stack([c, np.arctan2(v, u), np.log(np.maximum(np.hypot(u, v), 0.03)), np.full((len(w), 2), np.log(sigma))]))
    return np.stack(made)


def residual(p, w, x, y):
    """What the best Gabor functions of the shapes p (m, 6) leave of w (m, n):
    phase, height and the constant term are least squares."""
    cos, sin = np.cos(p[:, 2:3]), np.sin(p[:, 2:3])
    dx, dy = x - p[:, :1], y - p[:, 1:2]
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    envelope = np.exp(-0.5 * ((u / np.exp(p[:, 4:5])) ** 2 + (v / np.exp(p[:, 5:6])) ** 2))
    wave = 2 * np.pi * np.exp(p[:, 3:4]) * u
    a = np.stack([envelope * np.cos(wave), envelope * np.sin(wave), np.ones_like(u)], 2)
    scale = np.sqrt((a ** 2).sum(1, keepdims=True)) + 1e-12
    a = a / scale
    gram = a.transpose(0, 2, 1) @ a + 1e-9 * np.eye(3)
    return w - (a @ np.linalg.solve(gram, a.transpose(0, 2, 1) @ w[:, :, None]))[:, :, 0]


def gabor(w, side, steps=60):
    """R2 and shape of the best Gabor function of each filter: (h), (h, 6), by
    the method of Levenberg and Marquardt from each start."""
    w = w - w.mean(1, keepdims=True)
    w = w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-30)
    x, y = grid(side)
    low = np.array([-side, -side, -1e9, np.log(0.01), np.log(0.4), np.log(0.4)])
    high = np.array([side, side, 1e9, np.log(0.6), np.log(2 * side), np.log(2 * side)])
    p = np.clip(starts(w, side).reshape(-1, 6), low, high)
    many = np.tile(w, (5, 1))
    r = residual(p, many, x, y)
    cost, damp, h = (r ** 2).sum(1), np.full(len(p), 1e-2), 1e-5
    for _ in range(steps):
        j = np.stack([(residual(p + h * np.eye(6)[k], many, x, y) - r) / h for k in range(6)], 2)
        jj = j.transpose(0, 2, 1) @ j
        diagonal = np.einsum("mii->mi", jj)
        jj = jj + (damp[:, None] * diagonal + 1e-9)[:, :, None] * np.eye(6)
        step = np.linalg.solve(jj, -(j.transpose(0, 2, 1) @ r[:, :, None]))[:, :, 0]
        tried = np.clip(p + np.clip(step, -1, 1), low, high)
        left = residual(tried, many, x, y)
        new = (left ** 2).sum(1)
        better = new < cost
        p, r, cost = np.where(better[:, None], tried, p), np.where(better[:, None], left, r), np.where(better, new, cost)
        damp = np.clip(np.where(better, damp / 3, damp * 4), 1e-7, 1e7)
    cost, p = cost.reshape(5, -1), p.reshape(5, -1, 6)
    best = cost.argmin(0)
    at = np.arange(len(w))
    return 1 - cost[best, at], p[best, at]


def judge(w, side):
    """The shares of filters w (h, side*side*channels), in percent."""
    w = np.asarray(w, np.float64)
    channels = w.shape[1] // side ** 2
    w = w - w.mean(1, keepdims=True)
    unit = w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-30)
    cosine = unit @ unit.T - np.eye(len(w))
    if channels > 1:
        w = np.stack([np.linalg.svd(f.reshape(-1, channels), full_matrices=False)[0][:, 0] for f in w])
    r2, p = gabor(w, side)
    narrow, f = np.exp(p[:, 4:]).min(1), np.exp(p[:, 3])
    fits = r2 >= 0.8
    local = fits & (np.abs(p[:, :2]).max(1) <= side / 2) & (narrow < side / 4) & (f * narrow >= 0.12)
    return {name: 100 * share.mean() for name, share in
            (("R2", fits), ("oriented", fits & (wedge(w, side, 2 * side) > 0.5)), ("wedge", wedge(w, side, 64) > 0.5), ("local", local),
             ("twins", np.abs(cosine).max(1) > 0.9), ("same", cosine.max(1) > 0.9))}


def controls(x, side, rng):
    """Filters that nothing was learned for: noise, patches, components."""
    x = x.astype(np.float64)
    x -= x.mean(1, keepdims=True)
    centred = x - x.mean(0)
    components = np.linalg.eigh(centred.T @ centred)[1].T[::-1][:-1]
    return {"white noise": rng.standard_normal((400, side ** 2)), "raw patches": x[rng.choice(len(x), 400, replace=False)], "PCA": components}


class Bench:
    def __init__(self, aefeat, photographs, work):
        self.aefeat, self.work = aefeat, pathlib.Path(work)
        self.images = sorted(map(str, pathlib.Path(photographs).glob("*.png")))
        if not self.images:
            raise SystemExit(f"{photographs} has no PNG files: give the folder of the Kodak suite, or of other photographs")

    def run(self, *words):
        done = subprocess.run([self.aefeat, *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{words}: {done.stderr}")

    def patches(self, side, channels, rows):
        """The file of so many patches, cut once."""
        path = self.work / f"{side}x{side}x{channels}-{rows}.parquet"
        if not path.exists():
            grey = ["--grey"] if channels == 1 else []
            each = -(-rows // len(self.images))
            self.run("patches", "--size", f"{side}x{side}", *grey, "--per-image", each, "-o", path, *self.images)
        return path

    def fit(self, path, flags, seed):
        """The tensors of a model, and its settings."""
        out = self.work / "model.safetensors"
        self.run("fit", "--seed", seed, "--progress", "none", "-o", out, *shlex.split(flags), path)
        with open(out, "rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        return load_file(out), json.loads(header["__metadata__"]["config"])


def filters(tensors, space):
    w = tensors["encoder.weight"].astype(np.float64)
    if space == "input" and "preprocess.whiten" in tensors:
        w = w @ tensors["preprocess.whiten"].astype(np.float64)
    return w


def picture(w, side, path):
    """Draws filters, each scaled to its own largest value, with a frame."""
    from PIL import Image
    channels = w.shape[1] // side ** 2
    columns = int(np.ceil(np.sqrt(len(w))))
    lines = -(-len(w) // columns)
    sheet = np.full((lines * (side + 1) + 1, columns * (side + 1) + 1, channels), 0.5)
    for i, f in enumerate(w - w.mean(1, keepdims=True)):
        y, x = (i // columns) * (side + 1) + 1, (i % columns) * (side + 1) + 1
        sheet[y:y + side, x:x + side] = 0.5 + 0.5 * f.reshape(side, side, channels) / max(np.abs(f).max(), 1e-30)
    image = Image.fromarray(np.round(255 * sheet).astype(np.uint8).squeeze())
    image.resize((image.width * 4, image.height * 4), Image.NEAREST).save(path)


def show(name, shares):
    def cell(values):
        each = ", ".join(f"{v:.0f}" for v in values)
        return f"{np.mean(values):.0f}" + (f" ({each})" if len(values) > 1 else "")
    print(f"| {name} | " + " | ".join(cell([s[k] for s in shares]) for k in shares[0]) + " |", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("photographs")
    p.add_argument("row", nargs="*")
    p.add_argument("--fit", action="append", default=[])
    p.add_argument("--size", type=int, default=8)
    p.add_argument("--colour", action="store_true")
    p.add_argument("--rows", type=int, default=48_000)
    p.add_argument("--seeds", default="0,1,2")
    p.add_argument("--space", choices=["model", "input"], default="model")
    p.add_argument("--picture")
    p.add_argument("--work", help="a folder that keeps the patches")
    a = p.parse_args()
    for name in a.row:
        if name not in ROWS:
            p.error(f"{name} is none of {', '.join(ROWS)}")
    channels = 3 if a.colour else 1
    jobs = [(name, *ROWS[name]) for name in a.row or (() if a.fit else ROWS)]
    jobs += [(f"`{flags}`", a.size, channels, a.rows, flags) for flags in a.fit]
    with tempfile.TemporaryDirectory() as work:
        b = Bench(a.aefeat, a.photographs, a.work or work)
        print("| filters | R2 | oriented | wedge | local | twins | same |\n|---|---|---|---|---|---|---|", flush=True)
        if not a.row and not a.fit:
            x = np.stack(pq.read_table(b.patches(8, 1, 48_000))["patch"].to_numpy())
            for name, w in controls(x, 8, np.random.default_rng(0)).items():
                show(name, [judge(w, 8)])
        for name, side, channels, rows, flags in jobs:
            shares = []
            for seed in a.seeds.split(","):
                tensors, settings = b.fit(b.patches(side, channels, rows), flags, seed)
                w = filters(tensors, a.space)
                shares.append(judge(w, side))
                if a.picture:
                    picture(w, side, a.picture)
            show(name, shares)


if __name__ == "__main__":
    main()
