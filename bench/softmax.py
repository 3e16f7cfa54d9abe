"""The linear classifier of the published tables: multinomial logistic regression in PyTorch.

    python3 softmax.py TRAIN.npy TEST.npy IDX_FOLDER      # codes of MNIST's rows, in their order

The cost is that of package linear: mean cross-entropy plus penalty/2 |W|^2 on
standardised columns, by L-BFGS in float32. The penalty that errs least on the
held-out rows, the last of the training rows, is taken to all training rows;
the test rows are read once. Needs numpy and torch.
"""
import sys

import numpy as np
import torch

PENALTIES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)


class Classifier:
    def __init__(self, x, y, classes):
        self.mean, self.deviation = x.mean(0), x.std(0)
        self.deviation[self.deviation < 1e-6] = np.inf
        self.x, self.y = self.standard(x), torch.from_numpy(y.astype(np.int64))
        self.w = torch.zeros(classes, x.shape[1] + 1)

    def standard(self, x):
        x = (x - self.mean) / self.deviation
        return torch.from_numpy(np.concatenate([x, np.ones((len(x), 1), np.float32)], 1))

    def fit(self, penalty, iterations=200):
        w = self.w.clone().requires_grad_()
        optimizer = torch.optim.LBFGS([w], max_iter=iterations, tolerance_grad=1e-5, tolerance_change=1e-8, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            cost = torch.nn.functional.cross_entropy(self.x @ w.T, self.y) + penalty / 2 * w[:, :-1].square().sum()
            cost.backward()
            return cost

        optimizer.step(closure)
        self.w = w.detach()
        return self

    def error(self, x, y):
        """Percent of rows (standard(x)) that get another label than y."""
        return 100 * float(np.mean((x @ self.w.T).argmax(1).numpy() != y))


def choose(x, y, held=10_000, penalties=PENALTIES, iterations=200):
    """(error on the held-out last rows, penalty), the best of the penalties, from strong to weak."""
    c = Classifier(x[:-held], y[:-held], int(y.max()) + 1)
    rows = c.standard(x[-held:])
    found = []
    for penalty in penalties:
        found.append((c.fit(penalty, iterations).error(rows, y[-held:]), penalty))
        if found[-1][0] > min(found)[0] + 0.3:  # past the best
            break
    return min(found)


def test(x, y, penalty, tx, ty, iterations=400):
    c = Classifier(x, y, int(y.max()) + 1).fit(penalty, iterations)
    return c.error(c.standard(tx), ty)


def main():
    import digits
    x, tx = np.load(sys.argv[1]), np.load(sys.argv[2])
    (_, y), (_, ty) = (digits.read(sys.argv[3], s) for s in ("train", "test"))
    held, penalty = choose(x, y)
    print(f"penalty {penalty:g}, error held out {held:.2f} %, test {test(x, y, penalty, tx, ty):.2f} %")


if __name__ == "__main__":
    main()
