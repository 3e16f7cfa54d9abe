"""Sweep the defaults: 196 units, 5 epochs, errors on held-out training rows.

    python3 sweep.py AEFEAT MNIST_FOLDER FASHION_FOLDER
        [--only sparse,k-sparse] [--seed 1]

The folders hold train.parquet (digits.py reads the IDX files of both data
sets). The figures are the errors of `aefeat probe` on a fifth of the training
rows, which only the autoencoder has seen. Test rows are not read. Each row is
one setting: of two equal flags the later counts, and what is not named is the
default. Needs nothing but Python.
"""
import argparse
import pathlib
import tempfile

from published import layers, probe

SETTINGS = {
    "sparse": ["", "--learning-rate 0.001", "--learning-rate 0.002", "--learning-rate 0.008", "--batch-size 128", "--batch-size 512", "--sparsity 0.05", "--sparsity 0.2",
               "--sparsity-weight 3", "--sparsity-weight 1", "--sparsity-weight 0.1", "--weight-decay 0.001", "--weight-decay 0.01", "--epochs 10"],
    "sparse --sparsity-weight 3": ["--learning-rate 0.001", "--learning-rate 0.002", "--learning-rate 0.008", "--batch-size 128", "--batch-size 512",
                                   "--sparsity 0.05", "--sparsity 0.2", "--weight-decay 0.001", "--weight-decay 0.0003", "--epochs 10"],
    "sparse --preprocess patch": ["", "--learning-rate 0.004", "--learning-rate 0.001", "--sparsity-weight 3", "--sparsity-weight 3 --learning-rate 0.004", "--sparsity-weight 1"],
    "sparse --preprocess standardize": ["", "--learning-rate 0.002", "--sparsity-weight 3"],
    "sparse --preprocess zca": ["", "--learning-rate 0.002", "--sparsity-weight 3", "--sparsity-weight 1"],
    "denoising": ["", "--learning-rate 0.001", "--learning-rate 0.002", "--corruption 0.1", "--corruption 0.5", "--loss cross-entropy", "--loss cross-entropy --learning-rate 0.001",
                  "--tied", "--activation relu", "--noise gaussian --corruption 0.5", "--noise gaussian --corruption 0.3 --activation relu",
                  "--noise gaussian --corruption 0.5 --activation relu", "--noise gaussian --corruption 0.5 --activation relu --tied --loss cross-entropy", "--epochs 10"],
    "contractive": ["", "--learning-rate 0.002", "--learning-rate 0.002 --contraction 0.01", "--learning-rate 0.002 --contraction 1"],
    "k-sparse": ["", "--learning-rate 0.001", "--learning-rate 0.002", "--weight-decay 0.001", "--weight-decay 0", "--weight-decay 0 --learning-rate 0.001", "--k 10", "--k 50",
                 "--k-encode 1", "--k-encode 3", "--epochs 10"],
}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("aefeat")
    p.add_argument("folders", nargs=2, type=pathlib.Path)
    p.add_argument("--only", default=",".join(SETTINGS))
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    print("| objective | setting | MNIST | Fashion-MNIST |\n|---|---|---|---|")
    row = lambda what, setting, errors: print(f"| {what} | {f'`{setting}`' if setting else '-'} | " + " | ".join(f"{e:.2f} %" for e in errors) + " |", flush=True)
    row("pixels", "", [probe(a.aefeat, "image", folder / "train.parquet")[0] for folder in a.folders])
    for objective in a.only.split(","):
        for setting in SETTINGS[objective]:
            errors = []
            for folder in a.folders:
                with tempfile.TemporaryDirectory() as work:
                    data, _ = layers(a.aefeat, folder, [f"--objective {objective} {setting}"], a.seed, ["train"], work)
                    errors.append(probe(a.aefeat, "layer1", data / "train.parquet")[0])
            row(objective, setting, errors)


if __name__ == "__main__":
    main()
