"""Write fits.json: filters with the R2 of the best Gabor function that
scipy.optimize.least_squares finds from 60 random starts.

    python3 make.py > fits.json

Needs numpy and scipy.
"""
import json

import numpy as np
from scipy.optimize import least_squares


def gabor(p, y, x):
    """p: centre x and y, direction, frequency, deviations, heights, constant."""
    u = np.cos(p[2]) * (x - p[0]) + np.sin(p[2]) * (y - p[1])
    v = np.cos(p[2]) * (y - p[1]) - np.sin(p[2]) * (x - p[0])
    wave = 2 * np.pi * p[3] * u
    return np.exp(-0.5 * (u / p[4]) ** 2 - 0.5 * (v / p[5]) ** 2) * (p[6] * np.cos(wave) + p[7] * np.sin(wave)) + p[8]


def best(w, rng):
    height, width = w.shape
    y, x = np.mgrid[:height, :width]
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    side = min(w.shape)
    w = w - w.mean()
    w /= np.linalg.norm(w)
    low = np.array([-width, -height, -10, 0.01, 0.4, 0.4, -99, -99, -99])
    high = np.array([width, height, 10, 0.6, 2 * side, 2 * side, 99, 99, 99])
    costs = []
    for _ in range(60):
        start = [rng.uniform(-width / 2, width / 2), rng.uniform(-height / 2, height / 2), rng.uniform(0, np.pi), rng.uniform(0.02, 0.5),
                 rng.uniform(0.5, side), rng.uniform(0.5, side), rng.normal(), rng.normal(), 0]
        costs.append(2 * least_squares(lambda p: (gabor(p, y, x) - w).ravel(), start, bounds=(low, high)).cost)
    return 1 - min(costs)


def main():
    rng = np.random.default_rng(0)
    made = []
    for i in range(14):
        height, width = ((8, 8), (12, 12), (6, 9))[(i > 7) + (i > 10)]
        y, x = np.mgrid[:height, :width]
        p = [rng.uniform(-2, 2), rng.uniform(-2, 2), rng.uniform(0, np.pi), rng.uniform(0.1, 0.3), rng.uniform(1, 3), rng.uniform(1, 3),
             rng.normal(), rng.normal(), rng.normal()]
        w = gabor(p, y - (height - 1) / 2, x - (width - 1) / 2)
        w += (0, 0.2, 0.6, 9)[i % 4] * w.std() * rng.normal(size=w.shape)
        w = w.round(4)
        made.append({"height": height, "width": width, "filter": w.ravel().tolist(), "r2": round(best(w, rng), 5)})
    print("[\n" + ",\n".join(json.dumps(m) for m in made) + "\n]")


main()
