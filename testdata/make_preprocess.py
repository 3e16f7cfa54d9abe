"""Writes preprocess.json: rows, and what numpy and scikit-learn make of them.

    python make_preprocess.py > preprocess.json

Everything is float64. scikit-learn is there for the whitening alone: PCA with
whiten=True, turned back, is ZCA with epsilon 0.
"""

import json
import sys

import numpy as np
from sklearn.decomposition import PCA

rng = np.random.default_rng(5)
m, n = 40, 6
mix = rng.normal(size=(n, n))
pixels = np.clip(np.round(128 + 30 * rng.normal(size=(m, n)) @ mix), 0, 255).astype(int)
pixels[:, 4] = 31  # a constant input
pixels[7] = 31     # a row without contrast
x = pixels / 255


def patch(x):
    v = x - x.mean(axis=1, keepdims=True)
    sd = v.std()
    v = np.clip(v, -3 * sd, 3 * sd) / (3 * sd)
    return (v + 1) * 0.4 + 0.1, sd


def contrast(x):
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, ddof=1, keepdims=True) + 10 / 255**2)


def zca(x, epsilon):
    mean = x.mean(axis=0)
    d, v = np.linalg.eigh(np.cov(x.T))
    return (x - mean) @ (v * (1 / np.sqrt(d + epsilon))) @ v.T


varied = np.delete(x, 4, axis=1)
pca = PCA(whiten=True).fit(varied)
patched, deviation = patch(x)
rounded = lambda x: [float(f"{v:.9g}") for v in x.ravel()]
json.dump(
    {
        "pixels": pixels.ravel().tolist(),
        "inputs": n,
        "deviation": deviation,
        "patch": rounded(patched),
        "standardize": rounded(np.where(x.std(axis=0) > 0, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-8), 0)),
        "zca": rounded(zca(contrast(x), 0.1)),
        "zca_no_contrast": rounded(zca(x, 0.01)),
        "sklearn_varied": rounded(pca.transform(varied) @ pca.components_),
    },
    sys.stdout,
)
print()
