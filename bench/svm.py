"""How hard a data set is: errors of support vector machines on its pixels.

    python3 svm.py DATA_FOLDER

Fits scikit-learn's LinearSVC and SVC (radial basis functions) to train.parquet
with a few settings, chooses by the errors on held.parquet (variants.py makes
both) and counts those on test.parquet, to compare with published errors. Needs
numpy, pyarrow and scikit-learn.
"""
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
from sklearn.svm import SVC, LinearSVC


def read(path):
    t = pq.read_table(path)
    return np.stack(t["image"].to_numpy()).astype(np.float32) / 255, t["label"].to_numpy()


def main():
    train, held, test = (read(pathlib.Path(sys.argv[1]) / f"{s}.parquet") for s in ("train", "held", "test"))
    wrong = lambda machine, rows: 100 * np.mean(machine.predict(rows[0]) != rows[1])
    for kind, settings in {
        LinearSVC: [dict(C=c) for c in (0.001, 0.003, 0.01, 0.03)],
        SVC: [dict(C=10, gamma=g, cache_size=1000) for g in (0.01, 0.02, 0.03)],
    }.items():
        fitted = [kind(**s).fit(*train) for s in settings]
        best = min(fitted, key=lambda machine: wrong(machine, held))
        print(f"{best}: held out {wrong(best, held):.2f} %, test {wrong(best, test):.2f} % wrong", flush=True)


if __name__ == "__main__":
    main()
