"""Features that a sparse or denoising autoencoder learns from patches.

>>> import aefeat, numpy as np
>>> X = np.random.default_rng(0).random((200, 16), dtype=np.float32)
>>> model = aefeat.fit_arrow(X, hidden=4, epochs=1)
>>> table = aefeat.transform_arrow(X, model, layout="list").read_all()
>>> table.num_rows, table.column_names
(200, ['patch', 'code'])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._sources import reader
from .errors import AefeatError, AefeatWarning
from .network import Model, load
from .streams import fit_arrow, transform_arrow

__all__ = ["Autoencoder", "AefeatError", "AefeatWarning", "Model", "fit_arrow", "load", "reader", "transform_arrow"]

if TYPE_CHECKING:
    from .estimator import Autoencoder


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second and 100 MB, which streams need not.
    if name != "Autoencoder":
        raise AttributeError(f"module 'aefeat' has no attribute {name!r}")
    from .estimator import Autoencoder

    globals()[name] = Autoencoder
    return Autoencoder


def __dir__() -> list[str]:
    return [*globals(), "Autoencoder"]
