"""``python -m aefeat`` is the command."""

from __future__ import annotations

import os
import subprocess
import sys

from . import _binary


def main() -> int:
    """Run the command with the arguments of this process."""
    arguments = [_binary.path(), *sys.argv[1:]]
    if sys.platform == "win32":
        return subprocess.call(arguments)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    sys.exit(main())
