"""The page docs/ray.md: a training survives workers and drivers that are killed.

It needs Ray, which is large: bench/scale/ray.sh installs and runs it.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from test_docs import blocks

ray = pytest.importorskip("ray", reason="NOT TESTED: the recipe for Ray, which is not installed")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SHARDS = 9

# Stands before the command on the PATH. Once for each kind of task, and for
# each shard, it kills the worker that called it; told so, it kills the driver
# when there have been so many calls.
KILLER = """#!/bin/sh
touch "$CALLS/$$"
if [ -d "$KILLED" ]; then
    case $1 in sums | merge) mkdir "$KILLED/$1-$(basename "$6")" 2>/dev/null && kill -9 $PPID ;; esac
fi
if [ -n "$FATAL" ] && [ "$(ls "$CALLS" | wc -l)" -ge "$FATAL" ] && mkdir "$CALLS/dead" 2>/dev/null; then
    kill -9 "$(cat "$VICTIM")"
fi
exec "$AEFEAT_BINARY" "$@"
"""


@pytest.fixture
def folder(tmp_path, binary):
    (recipe,) = blocks("ray.md", "python")
    (tmp_path / "aefeat_ray.py").write_text(recipe)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/aefeat").write_text(KILLER)
    (tmp_path / "bin/aefeat").chmod(0o755)
    rng = np.random.default_rng(0)
    for i in range(SHARDS):
        rows = pa.array(rng.integers(0, 256, 400 * 25).astype(np.uint8))
        pq.write_table(pa.table({"patch": pa.FixedSizeListArray.from_arrays(rows, 25)}), tmp_path / f"{i}.parquet")
    subprocess.run([binary, "fit", "-q", "--hidden", "8", "--epochs", "0", "-o", tmp_path / "init", tmp_path / "0.parquet"], check=True)
    return tmp_path


def train(folder, model, **variables):
    """The exit status of the recipe."""
    calls = folder / f"{model}-calls"
    calls.mkdir(exist_ok=True)
    env = os.environ | {"PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}", "CALLS": str(calls), "VICTIM": str(folder / "pid"),
                        "KILLED": "", "FATAL": "", "RAY_USAGE_STATS_ENABLED": "0"} | variables
    words = [sys.executable, "aefeat_ray.py", "init", model, "6", *(str(folder / f"{i}.parquet") for i in range(SHARDS))]
    with subprocess.Popen(words, cwd=folder, env=env) as driver:
        (folder / "pid").write_text(str(driver.pid))
    return driver.returncode


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_killed(folder):
    assert train(folder, "model") == 0
    want = (folder / "model").read_bytes()
    (folder / "killed").mkdir()
    assert train(folder, "survivor", KILLED=str(folder / "killed")) == 0
    assert len(list((folder / "killed").iterdir())) > SHARDS
    assert (folder / "survivor").read_bytes() == want
    assert train(folder, "resumed", FATAL="50") == -9
    assert (folder / "resumed.checkpoint").exists()
    assert train(folder, "resumed") == 0
    assert (folder / "resumed").read_bytes() == want
