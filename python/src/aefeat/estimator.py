"""A transformer for scikit-learn, which also works without it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from .network import Floats, Model
from .streams import fit_arrow, transform_arrow

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    from ._plain import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, check_is_fitted, check_random_state, validate_data


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """An autoencoder with one hidden layer, whose code is the features of a row.

    None stands for the default of the command.

    Args:
        n_hidden: h, the number of hidden units.
        objective: ``"sparse"``, ``"denoising"``, ``"contractive"``, ``"k-sparse"`` or
            ``"plain"``: the terms of the cost.
        preprocess: ``"none"``, ``"scale"``, ``"patch"``, ``"standardize"``, ``"zca"``,
            or ``"auto"``: scale for integers in 0 to 255 and floats in 0 to 1,
            otherwise standardize.
        solver: ``"adam"``, ``"sgd"`` or ``"lbfgs"``.
        max_iter: epochs; for lbfgs, iterations at most.
        batch_size: rows of a step.
        learning_rate: of a step.
        weight_decay: lambda, the weight of the squared weights.
        sparsity: rho, the mean activation that is wanted.
        sparsity_weight: beta, the weight of the sparsity term.
        corruption: the proportion of the values of a row that is destroyed.
        k: codes of a row that a k-sparse model keeps.
        activation: of hidden units: ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"linear"``.
        tied: use one matrix of weights for both layers.
        validation_fraction: the share of rows to hold out.
        n_iter_no_change: epochs without a lower cost on these after which to stop.
        random_state: decides the initial weights, the noise and the order of
            rows. Equal ones give equal bytes.
        column: the column with the patches, of data that have columns of lists.
        checkpoint: a file that keeps the state of a fit.
        verbose: show progress; None: where somebody looks at it.
        settings: other settings of the command, such as ``{"memory": "2GiB"}``.

    Attributes:
        model_: the :class:`aefeat.Model`.
        components_: W1 (h, n).
        n_iter_: epochs, or iterations.
        loss_: the cost of the last epoch.
        loss_curve_: the costs of all.
        n_features_in_: n.
        feature_names_in_: the names of the columns of a frame.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).random((500, 16))
    >>> Autoencoder(n_hidden=4, max_iter=40, batch_size=20).fit_transform(X).shape
    (500, 4)
    """

    def __init__(
        self,
        n_hidden: int = 196,
        objective: str = "sparse",
        *,
        preprocess: str = "auto",
        solver: str | None = None,
        max_iter: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        sparsity: float | None = None,
        sparsity_weight: float | None = None,
        corruption: float | None = None,
        k: int | None = None,
        activation: str | None = None,
        tied: bool | None = None,
        validation_fraction: float | None = None,
        n_iter_no_change: int | None = None,
        random_state: Any = 0,
        column: str | list[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        verbose: bool | None = False,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.n_hidden = n_hidden
        self.objective = objective
        self.preprocess = preprocess
        self.solver = solver
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.sparsity = sparsity
        self.sparsity_weight = sparsity_weight
        self.corruption = corruption
        self.k = k
        self.activation = activation
        self.tied = tied
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.column = column
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.settings = settings

    def fit(self, X: Any, y: Any = None) -> Autoencoder:
        """Learn from rows X (m, n), or from Arrow data that are read once; y is ignored."""
        rows = self._rows(X, reset=True)
        if rows is X and hasattr(self, "feature_names_in_") and _is_arrow(X):
            del self.feature_names_in_  # of an earlier fit
        self.model_ = fit_arrow(rows, column=self.column, checkpoint=self.checkpoint, progress=self.verbose, **self._flags())
        history = self.model_.config.get("history") or []
        self.loss_curve_ = [float(epoch["cost"]["total"]) for epoch in history]
        self.loss_ = self.loss_curve_[-1] if history else None
        self.n_iter_ = len(history)
        self.components_ = self.model_.tensors["encoder.weight"]
        self.n_features_in_ = self.model_.n_inputs
        self._n_features_out = self.model_.n_hidden
        return self

    def transform(self, X: Any) -> Floats:
        """Return the codes (m, h) of rows X (m, n), the bytes that the command gives."""
        check_is_fitted(self, "model_")
        return self._features(X, "code", layout="list")

    def score_samples(self, X: Any) -> Floats:
        """Return minus the squared errors (m) of the reconstructions: low where a row is unusual."""
        check_is_fitted(self, "model_")
        return -self._features(X, "score", layout="none", score=True)

    def inverse_transform(self, X: npt.ArrayLike) -> Floats:
        """Return rows (m, n) in the units of the data for codes (m, h).

        What preprocessing takes off each row of its own, its mean and its
        contrast, is not in the codes and stays away.
        """
        check_is_fitted(self, "model_")
        return self.model_.unprocess(self.model_.decode(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes are float32, whatever the rows are
        return tags

    def _flags(self) -> dict[str, Any]:
        seed = self.random_state
        if not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        return {
            "hidden": self.n_hidden,
            "objective": self.objective,
            "preprocess": self.preprocess,
            "optimizer": self.solver,
            "epochs": self.max_iter,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "sparsity": self.sparsity,
            "sparsity_weight": self.sparsity_weight,
            "corruption": self.corruption,
            "k": self.k,
            "activation": self.activation,
            "tied": self.tied,
            "validation": self.validation_fraction,
            "patience": self.n_iter_no_change,
            "seed": int(seed),
            **(self.settings or {}),
        }

    def _rows(self, X: Any, reset: bool) -> Any:
        """Return an array as one that is valid, and Arrow data as they are."""
        if self.column is not None or _is_arrow(X):
            return X
        dimensions = getattr(X, "ndim", 2)
        if dimensions > 2:
            X = np.asarray(X).reshape(len(X), -1)
        rows = validate_data(self, X, reset=reset)
        return rows.astype(np.float32) if rows.dtype == np.float16 else rows

    def _features(self, X: Any, name: str, **settings: Any) -> Floats:
        rows = transform_arrow(self._rows(X, reset=False), self.model_, column=self.column, keep="none", progress=self.verbose, **settings)
        width = self.model_.n_hidden if name == "code" else 1
        parts = []
        for batch in rows:
            values = batch.column(name)
            if name == "code":
                values = values.flatten()
            parts.append(values.to_numpy(zero_copy_only=False))
        found = np.concatenate(parts) if parts else np.empty(0, np.float32)
        return found.reshape(-1, width) if name == "code" else found


def _is_arrow(X: Any) -> bool:
    """Report whether X holds rows as Arrow does, rather than being an array or a frame of numbers."""
    kind = type(X).__module__.partition(".")[0]
    return isinstance(X, (str, os.PathLike)) or kind in ("pyarrow", "duckdb", "_duckdb") or hasattr(X, "__next__") or kind not in ("pandas", "polars") and hasattr(X, "__arrow_c_stream__")
