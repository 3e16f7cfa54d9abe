import os
import pathlib
import subprocess

import pytest

import aefeat
from aefeat import _binary

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def binary(tmp_path_factory):
    """The command that is tested: of AEFEAT_BINARY, else the installed one.

    It is built for modules that are not installed.
    """
    if "AEFEAT_BINARY" not in os.environ:
        if (ROOT / "python/src") in pathlib.Path(aefeat.__file__).resolve().parents:
            path = tmp_path_factory.mktemp("bin") / ("aefeat.exe" if os.name == "nt" else "aefeat")
            subprocess.run(["go", "build", "-o", str(path), "./cmd/aefeat"], cwd=ROOT, check=True)
        else:
            path = _binary.path()
        os.environ["AEFEAT_BINARY"] = str(path)
    return os.environ["AEFEAT_BINARY"]
