"""Measure what the features are worth on MNIST, with default settings.

    python3 quality.py AEFEAT IDX_FOLDER [SEED...]

For each seed: the cost and the accuracy of a linear classifier on the codes
when the training rows come shuffled and when they come sorted by label, and
how far the mean activations of the units lie apart: for 60,000 rows and 196
units, 30,000 rows and 100 units, and for either after one epoch. Then the cost
after 30 epochs. The classifier is scikit-learn's LogisticRegression (C = 1, lbfgs) on
standardised columns, fitted on the training rows and read once on the 10,000
test rows. Needs numpy, pyarrow and scikit-learn.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import digits

warnings.simplefilter("ignore")


def accuracy(x, labels, test, test_labels):
    scale = StandardScaler().fit(x)
    model = LogisticRegression(C=1, max_iter=300).fit(scale.transform(x), labels)
    return 100 * model.score(scale.transform(test), test_labels)


def main():
    aefeat, idx = sys.argv[1], sys.argv[2]
    seeds = [int(s) for s in sys.argv[3:]] or [1, 2, 3]
    here = pathlib.Path(__file__).parent
    with tempfile.TemporaryDirectory() as tmp:
        run = lambda *a: subprocess.run([str(x) for x in a], check=True, capture_output=True, text=True).stdout
        for split, order, rows in (("train", "file", 60_000), ("train", "label", 60_000), ("train", "shuffled", 60_000),
                                   ("train", "file", 30_000), ("train", "label", 30_000), ("train", "shuffled", 30_000), ("test", "file", 10_000)):
            run(sys.executable, here / "digits.py", idx, split, f"{tmp}/{split}-{order}-{rows}.parquet", "--order", order, "--first", rows)

        def codes(model, rows):
            run(aefeat, "transform", "-m", model, "--layout", "list", "--progress", "none", "-o", f"{tmp}/codes.parquet", rows)
            t = pq.read_table(f"{tmp}/codes.parquet")
            return t["code"].combine_chunks().flatten().to_numpy().reshape(len(t), -1), t["label"].to_numpy()

        def fitted(order, rows, hidden, seed, epochs):
            model = f"{tmp}/model.safetensors"
            run(aefeat, "fit", "--hidden", hidden, "--seed", seed, "--epochs", epochs, "--progress", "none", "-o", model, f"{tmp}/train-{order}-{rows}.parquet")
            return model, json.loads(run(aefeat, "evaluate", "--json", "-m", model, f"{tmp}/train-file-{rows}.parquet"))

        x, labels = digits.read(idx, "train")
        test, test_labels = digits.read(idx, "test")
        print(f"raw pixels: {accuracy(x / 255.0, labels, test / 255.0, test_labels):.2f} %", flush=True)
        print("| rows | units | epochs | seed | rows come | cost | mean activation of units | accuracy on codes |\n|---|---|---|---|---|---|---|---|")
        for rows, hidden, epochs in ((60_000, 196, 5), (30_000, 100, 5), (60_000, 196, 1), (30_000, 100, 1)):
            for seed in seeds:
                for order in ("shuffled", "label"):
                    model, e = fitted(order, rows, hidden, seed, epochs)
                    right = accuracy(*codes(model, f"{tmp}/train-file-{rows}.parquet"), *codes(model, f"{tmp}/test-file-10000.parquet"))
                    units = e["mean_activation"]
                    print(f"| {rows} | {hidden} | {epochs} | {seed} | {'sorted by label' if order == 'label' else order} | {e['cost']['total']:.3f} "
                          f"| {units['min']:.3f} to {units['max']:.3f} | {right:.2f} % |", flush=True)
        _, e = fitted("shuffled", 60_000, 196, seeds[0], 30)
        print(f"\n30 epochs, seed {seeds[0]}: cost {e['cost']['total']:.3f}, mean activation of units "
              f"{e['mean_activation']['min']:.3f} to {e['mean_activation']['max']:.3f}")


if __name__ == "__main__":
    main()
