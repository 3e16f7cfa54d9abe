"""Where the command is."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys

from .errors import AefeatError


def path() -> str:
    """Return the path of the command.

    It is that of the environment variable AEFEAT_BINARY, else the one that was
    installed with the package, else the one on PATH.
    """
    name = "aefeat.exe" if sys.platform == "win32" else "aefeat"
    named = os.environ.get("AEFEAT_BINARY")
    if named:
        if os.path.isfile(named):
            return named
        raise AefeatError(f"AEFEAT_BINARY: {named}: no such file", code="binary.missing", file=named)
    installed = _installed(name)
    if installed:
        return installed
    found = shutil.which("aefeat")
    if found:
        return found
    raise AefeatError(
        "the aefeat command is not there",
        code="binary.missing",
        hints=["install a wheel of the package, which has it", "or set AEFEAT_BINARY to its path"],
    )


def _installed(name: str) -> str | None:
    """Where the installer has put the command.

    Its record tells, whatever the scheme was: a virtual environment, --user,
    --target or --prefix.
    """
    try:
        files = importlib.metadata.files("aefeat") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == name:
            path = os.path.normpath(str(file.locate()))
            if os.path.isfile(path):
                return path
    return None
