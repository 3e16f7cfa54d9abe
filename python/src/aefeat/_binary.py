"""Where the command is."""

from __future__ import annotations

import os
import shutil
import sys

from .errors import AefeatError


def path() -> str:
    """Return the path of the command.

    It is that of the environment variable AEFEAT_BINARY, else the one that came
    with the package, else the one on PATH.
    """
    name = "aefeat.exe" if sys.platform == "win32" else "aefeat"
    named = os.environ.get("AEFEAT_BINARY")
    if named:
        if os.path.isfile(named):
            return named
        raise AefeatError(f"AEFEAT_BINARY: {named}: no such file", code="binary.missing", file=named)
    packaged = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", name)
    if os.path.isfile(packaged):
        return packaged
    found = shutil.which("aefeat")
    if found:
        return found
    raise AefeatError(
        "the aefeat command is not there",
        code="binary.missing",
        hints=["install a wheel of the package, which has it", "or set AEFEAT_BINARY to its path"],
    )
