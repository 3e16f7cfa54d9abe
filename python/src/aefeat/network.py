"""Fitted models."""

from __future__ import annotations

import json
import os
from typing import Any


class Model:
    """A fitted model: the bytes of its file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        size = int.from_bytes(content[:8], "little")
        self._header: dict[str, Any] = json.loads(content[8 : 8 + size])
        self.config: dict[str, Any] = json.loads(self._header["__metadata__"]["config"])

    def to_bytes(self) -> bytes:
        """Return the bytes of the model file."""
        return self._content

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file."""
        with open(path, "wb") as f:
            f.write(self._content)


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model file."""
    with open(path, "rb") as f:
        return Model(f.read())
