"""The little of scikit-learn that Autoencoder needs, for where it is not there."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np


class BaseEstimator:
    """Parameters by name, as scikit-learn has them."""

    @classmethod
    def _names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Any:
        """Set parameters and return the estimator."""
        for name, value in params.items():
            if name not in self._names():
                raise ValueError(f"Invalid parameter {name!r} for estimator {type(self).__name__}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = {k: v for k, v in self.get_params().items() if v is not defaults[k].default}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"


class TransformerMixin:
    """fit_transform."""

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit to X and return its codes."""
        return self.fit(X, y).transform(X)  # type: ignore[attr-defined]


class ClassNamePrefixFeaturesOutMixin:
    """Names of features."""

    _n_features_out: int

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the features."""
        prefix = type(self).__name__.lower()
        return np.asarray([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)


def check_is_fitted(estimator: Any, attribute: str) -> None:
    """Raise unless estimator has been fitted."""
    if not hasattr(estimator, attribute):
        raise ValueError(f"This {type(estimator).__name__} instance is not fitted yet. Call 'fit' first.")


def check_random_state(seed: Any) -> np.random.RandomState:
    """Return a generator of numbers."""
    return seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)


def validate_data(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return X as an array of rows of numbers, of the width of the fit."""
    if hasattr(X, "tocsr"):
        raise TypeError("Sparse data was passed, but dense data is required. Use '.toarray()' to convert to a dense numpy array.")
    rows = np.asarray(X)
    if rows.ndim != 2:
        raise ValueError(f"Expected 2D array, got {rows.ndim}D array instead. Reshape your data.")
    if rows.dtype.kind not in "biuf":
        rows = rows.astype(np.float64)
    if not reset and rows.shape[1] != estimator.n_features_in_:
        raise ValueError(f"X has {rows.shape[1]} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} features as input")
    return rows
