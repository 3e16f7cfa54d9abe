"""Fitted models: codes, reconstructions and scores in numpy alone."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Model:
    """A fitted model of m rows, n inputs and h hidden units.

    It is made of the bytes of a model file or a checkpoint and does not change,
    so threads may share it. It pickles as these bytes.

    Attributes:
        config: the settings, as in the file.
        tensors: the arrays of the file by name: ``"encoder.weight"`` (h, n) and so on.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.config, self.tensors = _parse(content)
        preprocess = self.config["preprocess"]
        method = preprocess.get("method") or "none"
        if method not in _METHODS:
            raise ValueError(f"the model's preprocessing is {method!r}, of a later version")
        for key in ("activation", "output_activation"):
            if self.config[key] not in _ACTIVATIONS:
                raise ValueError(f"the model's {key} is {self.config[key]!r}, of a later version")

    @property
    def n_inputs(self) -> int:
        """n, the number of values of a row."""
        return int(self.config["inputs"])

    @property
    def n_hidden(self) -> int:
        """h, the number of hidden units."""
        return int(self.config["hidden"])

    def __repr__(self) -> str:
        return f"<aefeat.Model: {self.config['objective']}, {self.n_inputs} inputs, {self.n_hidden} hidden units>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self._content,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        return self._content

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file."""
        with open(path, "wb") as f:
            f.write(self._content)

    def preprocess(self, X: npt.ArrayLike) -> Floats:
        """Return rows (m, n) as the network takes them (m, n).

        X (m, n), or with the axes of a patch in place of n, holds values as they
        were stored in the rows of the fit: pixels up to 255, if those were bytes.
        """
        rows = np.asarray(X)
        if rows.ndim < 2 or int(np.prod(rows.shape[1:])) != self.n_inputs:
            raise ValueError(f"rows of {self.n_inputs} values are needed, and these have the shape {rows.shape}")
        rule = self.config["preprocess"]
        low, high = rule.get("min", 0), rule.get("max", 0)
        x = rows.reshape(len(rows), -1).astype(np.float32)
        if len(x) and not np.isfinite(x).all():
            raise ValueError("the rows hold NaN or infinity, or numbers beyond float32")
        if len(x) and (low or high) and not (x.min() >= low and x.max() <= high):
            raise ValueError(f"values from {x.min()} to {x.max()} lie outside {low} to {high}, which the model was fitted on")
        x = x * np.float32(rule.get("scale") or 1) + np.float32(rule.get("offset", 0))
        method = rule.get("method") or "none"
        if method == "patch":
            limit = 3 * rule["learned"].get("deviation", 0)
            x = x - x.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
            x = np.clip(x, -np.float32(limit), np.float32(limit))
            return np.asarray(x * np.float32(0.4 / limit if limit > 0 else 0) + np.float32(0.5))
        if method == "standardize":
            return np.asarray((x - self.tensors["preprocess.mean"]) * self.tensors["preprocess.scale"])
        if method == "zca":
            if rule.get("contrast"):
                wide = x.astype(np.float64)
                wide -= wide.mean(axis=1, keepdims=True)
                variance = (wide * wide).sum(axis=1, keepdims=True) / max(1, self.n_inputs - 1)
                x = (wide / np.sqrt(variance + rule["contrast"])).astype(np.float32)
            return np.asarray((x - self.tensors["preprocess.mean"]) @ self.tensors["preprocess.whiten"])
        return np.asarray(x)

    def unprocess(self, x: npt.ArrayLike) -> Floats:
        """Undo :meth:`preprocess` for rows x (m, n), as far as that is known.

        The mean that "patch" takes off a row and the contrast that "zca" divides it
        by are not: rows stay without them.
        """
        rule = self.config["preprocess"]
        method = rule.get("method") or "none"
        x = np.asarray(x, dtype=np.float64)
        if method == "patch":
            x = (x - 0.5) * (3 * rule["learned"].get("deviation", 0) / 0.4)
        elif method == "standardize":
            scale = self.tensors["preprocess.scale"].astype(np.float64)
            x = np.divide(x, scale, out=np.zeros_like(x), where=scale != 0) + self.tensors["preprocess.mean"]
        elif method == "zca":
            x = np.linalg.solve(self.tensors["preprocess.whiten"].astype(np.float64), x.T).T + self.tensors["preprocess.mean"]
            if rule.get("contrast"):
                return x.astype(np.float32)
        return np.asarray((x - rule.get("offset", 0)) / (rule.get("scale") or 1), dtype=np.float32)

    def encode(self, X: npt.ArrayLike) -> Floats:
        """Return the codes (m, h) of rows X; see :meth:`preprocess`."""
        return self._code(self.preprocess(X))

    def reconstruct(self, X: npt.ArrayLike) -> Floats:
        """Return what the model makes of rows X (m, n), in the space of preprocessed rows."""
        return self.decode(self.encode(X))

    def decode(self, codes: npt.ArrayLike) -> Floats:
        """Return the reconstructions (m, n) of codes (m, h)."""
        a = np.asarray(codes, dtype=np.float32)
        if a.ndim != 2 or a.shape[1] != self.n_hidden:
            raise ValueError(f"codes of {self.n_hidden} values are needed, and these have the shape {a.shape}")
        weight = self.tensors.get("decoder.weight")
        w = self.tensors["encoder.weight"] if weight is None else weight.T
        return _activate(self.config["output_activation"], a @ w + self.tensors["decoder.bias"])

    def score(self, X: npt.ArrayLike) -> Floats:
        """Return the squared errors (m) of the reconstructions of rows X."""
        x = self.preprocess(X)
        d = self.decode(self._code(x)) - x
        squares: Floats = np.einsum("ij,ij->i", d, d, dtype=np.float64).astype(np.float32)
        return squares

    def _code(self, x: Floats) -> Floats:
        z = x @ self.tensors["encoder.weight"].T + self.tensors["encoder.bias"]
        k = self.config.get("k", 0)
        if not k:
            return _activate(self.config["activation"], z)
        keep = int(min(z.shape[1], max(1, round((self.config.get("k_encode") or 1) * k))))
        # Of equal ones the first stays, hence the stable order.
        largest = np.argsort(-z, axis=1, kind="stable")[:, :keep]
        a = np.zeros_like(z)
        np.put_along_axis(a, largest, np.take_along_axis(z, largest, axis=1), axis=1)
        return a


def load(source: str | os.PathLike[str] | bytes) -> Model:
    """Read a model file, from its path or its bytes.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no model file, or one of a later version.

    >>> import aefeat, numpy as np
    >>> X = np.random.default_rng(0).random((200, 16))
    >>> model = aefeat.fit_arrow(X, hidden=4, epochs=40, batch_size=20)
    >>> aefeat.load(model.to_bytes()).encode(X).shape
    (200, 4)
    """
    if isinstance(source, bytes):
        return Model(source)
    with open(source, "rb") as f:
        return Model(f.read())


def _sigmoid(z: Floats) -> Floats:
    # exp of -|z| alone never overflows.
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1, e) / (1 + e), dtype=np.float32)


def _activate(name: str, z: Floats) -> Floats:
    activated: Floats = _ACTIVATIONS[name](z)
    return activated


_ACTIVATIONS: dict[str, Any] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
}

_METHODS = ("none", "scale", "patch", "standardize", "zca")


def _parse(content: bytes) -> tuple[dict[str, Any], dict[str, Floats]]:
    """Return the settings and the tensors of a model file."""
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + size])
        metadata = header.pop("__metadata__")
        if metadata["format"] != "aefeat":
            raise KeyError("format")
        config = json.loads(metadata["config"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("no model file of aefeat") from None
    if metadata["version"] != "1":
        raise ValueError(f"a model file of version {metadata['version']}, and this package reads version 1")
    tensors = {}
    for name, of in header.items():
        if name.startswith("optimizer.") or of["dtype"] != "F32":
            continue  # the state of a training
        begin, end = (8 + size + offset for offset in of["data_offsets"])
        if end > len(content):
            raise ValueError("the model file is cut short")
        tensors[name] = np.frombuffer(content[begin:end], dtype="<f4").reshape(of["shape"])
    return config, tensors
