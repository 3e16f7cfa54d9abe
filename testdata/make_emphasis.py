"""Writes emphasis.json: costs and gradients of emphasised denoising losses.

    python make_emphasis.py > emphasis.json

The form is that of golden.json. Each case also has `emphasis`, alpha, where
"inf" is full emphasis, and `chosen`, the components (rows, inputs) that the
noise has chosen: some are masked that were 0, and some become salt that were 1.
Everything is float64. PyTorch's automatic differentiation makes the gradient of
the cost alone, and the cost follows Vincent et al. (JMLR 11, 2010, section 4.3)
word by word: two sums over components, with alpha and with beta before them.
"""

import json
import math
import sys

import numpy as np
import torch
from torch.nn.functional import softplus

torch.set_default_dtype(torch.float64)
ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "linear": lambda z: z}


def cost(c, x, noisy, chosen, w1, b1, w2, b2):
    """The terms of the cost, and the mean activations."""
    z = noisy @ w1.T + b1
    a = ACTIVATIONS[c["activation"]](z)
    if c["k"]:
        a = z * torch.zeros_like(z).scatter(1, z.topk(c["k"], 1).indices, 1.0)
    u = a @ (w1 if c["tied"] else w2.T) + b2
    if c["loss"] == "cross-entropy":
        loss = softplus(u) - x * u
    else:
        loss = (ACTIVATIONS[c["output"]](u) - x) ** 2 / 2
    alpha, beta = (1.0, 0.0) if c["emphasis"] == "inf" else (c["emphasis"], 1.0)
    terms = {
        "reconstruction": sum(alpha * loss[k, chosen[k]].sum() + beta * loss[k, ~chosen[k]].sum() for k in range(len(x))) / len(x),
        "weight_decay": c["lambda"] / 2 * ((w1**2).sum() + (0 if c["tied"] else (w2**2).sum())),
        "sparsity": torch.zeros(()),
        "contraction": torch.zeros(()),
    }
    q = (1 + a.mean(0)) / 2 if c["activation"] == "tanh" else a.mean(0)
    if c["beta"]:
        terms["sparsity"] = c["beta"] * (c["rho"] * torch.log(c["rho"] / q) + (1 - c["rho"]) * torch.log((1 - c["rho"]) / (1 - q))).sum()
    if c["contraction"]:
        slope = {"sigmoid": a * (1 - a), "tanh": 1 - a**2}[c["activation"]]
        terms["contraction"] = c["contraction"] * (slope**2 @ (w1**2).sum(1)).mean()
    return terms, q


def case(rng, name, inputs, hidden, rows, **changes):
    c = dict(activation="sigmoid", output="sigmoid", loss="squared", tied=False, rho=0.05, beta=0.0, contraction=0.0,
             corruption=0.25, noise="masking", k=0, emphasis=1.0)
    c["lambda"] = 0.0
    c.update(changes)
    x = rng.uniform(0.1, 0.9, (rows, inputs))
    x[rng.uniform(size=x.shape) < 0.3] = 0
    x[rng.uniform(size=x.shape) < 0.2] = 1
    chosen = np.zeros(x.shape, bool)
    for row in chosen:
        row[rng.choice(inputs, round(c["corruption"] * inputs), replace=False)] = True
    noise = np.zeros(x.shape) if c["noise"] == "masking" else np.round(rng.uniform(size=x.shape))
    noisy = np.where(chosen, noise, x)
    shapes = [(hidden, inputs), hidden, (inputs, hidden), inputs]
    weights = [torch.tensor(rng.normal(0, 0.5, s), requires_grad=True) for s in shapes]
    terms, q = cost(c, *map(torch.tensor, (x, noisy, chosen)), *weights)
    total = sum(terms.values())
    gradient = torch.autograd.grad(total, weights, allow_unused=True)

    def named(tensors):
        tensors = [t.detach().tolist() if t is not None else None for t in tensors]
        if c["tied"]:
            tensors[2] = None
        return dict(zip(["encoder_weight", "encoder_bias", "decoder_weight", "decoder_bias"], tensors))

    values = {k: v.item() for k, v in terms.items()} | {"total": total.item()}
    assert all(map(math.isfinite, values.values()))
    return dict(name=name, config=c, x=x.tolist(), corrupted=noisy.tolist(), chosen=chosen.tolist(), **named(weights),
                cost=values, mean_activation=q.tolist(), gradient=named(gradient))


def main():
    rng = np.random.default_rng(20101201)
    regular = {"lambda": 1e-3}
    cases = [
        case(rng, "masking squared, alpha 1", 8, 5, 6),
        case(rng, "masking squared, alpha 2", 8, 5, 6, emphasis=2.0),
        case(rng, "masking squared, alpha 0.5", 8, 5, 6, emphasis=0.5),
        case(rng, "masking squared, full", 8, 5, 6, emphasis="inf"),
        case(rng, "masking tied cross-entropy, alpha 3", 8, 5, 6, emphasis=3.0, corruption=0.5, tied=True, loss="cross-entropy"),
        case(rng, "salt-pepper tied cross-entropy, full", 8, 5, 6, emphasis="inf", noise="salt-pepper", tied=True, loss="cross-entropy", **regular),
        case(rng, "salt-pepper untied cross-entropy, alpha 1.5", 12, 4, 7, emphasis=1.5, noise="salt-pepper", loss="cross-entropy"),
        case(rng, "salt-pepper tanh linear, full", 12, 4, 7, emphasis="inf", noise="salt-pepper", activation="tanh", output="linear", **regular),
        case(rng, "salt-pepper relu relu, alpha 4", 12, 6, 7, emphasis=4.0, noise="salt-pepper", activation="relu", output="relu"),
        case(rng, "masking sparse contractive, alpha 5", 8, 5, 9, emphasis=5.0, beta=1.0, rho=0.1, contraction=0.1, **regular),
        case(rng, "salt-pepper k-sparse tied, full", 8, 10, 6, emphasis="inf", noise="salt-pepper", k=3, activation="linear", output="linear", tied=True),
        case(rng, "all corrupted, alpha 2", 8, 5, 4, emphasis=2.0, corruption=1.0),
    ]
    sys.stdout.write('{"cases":[\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")


if __name__ == "__main__":
    main()
