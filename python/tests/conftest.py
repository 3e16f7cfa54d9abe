import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def binary(tmp_path_factory):
    """Builds the command, unless AEFEAT_BINARY says where one is."""
    if "AEFEAT_BINARY" not in os.environ:
        path = tmp_path_factory.mktemp("bin") / ("aefeat.exe" if os.name == "nt" else "aefeat")
        subprocess.run(["go", "build", "-o", str(path), "./cmd/aefeat"], cwd=ROOT, check=True)
        os.environ["AEFEAT_BINARY"] = str(path)
    return os.environ["AEFEAT_BINARY"]
