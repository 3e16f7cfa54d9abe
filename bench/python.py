"""Time and memory of transform through Python beside the command's own.

    python3 bench/python.py BINARY MODEL ROWS.parquet [PAIRS]

Both read the Parquet file and make an Arrow stream of lists. The command writes
its one to /dev/null; the package's comes back as batches, whose rows are counted.
The two take turns. Memory is the largest resident set, of Python and its child
together for the package.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import threading
import time


def resident(pid):
    """The resident bytes of a process, or 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024
    except (OSError, TypeError):
        return 0


def children(pid):
    """The processes that pid has started."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def run(command, environment=None):
    """Run a command; return seconds, CPU seconds and the peak of its resident bytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with open(os.devnull, "wb") as null:  # for writing alone: see docs/pipes.md
        process = subprocess.Popen(command, stdout=null, stderr=null, env={**os.environ, **(environment or {})})
    peak = 0
    ended = threading.Event()

    def watch():
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, sum(resident(pid) for pid in [process.pid, *children(process.pid)]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak


def stream(source, model, rows):
    """Read rows as source does, transform them in Python and count them."""
    import aefeat

    if source == "dataset":
        import pyarrow.dataset

        data = pyarrow.dataset.dataset(rows)
    else:
        import duckdb

        data = duckdb.sql(f"SELECT * FROM '{rows}'")
    total = sum(batch.num_rows for batch in aefeat.transform_arrow(data, model, layout="list"))
    print(total)


def main():
    if sys.argv[1] == "--stream":
        stream(*sys.argv[2:])
        return
    binary, model, rows = sys.argv[1:4]
    pairs = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    package = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "python", "src")
    environment = {"AEFEAT_BINARY": os.path.abspath(binary), "PYTHONPATH": package}
    command = [binary, "transform", "-q", "-m", model, "--format", "stream", "--layout", "list", rows]
    ways = {"command": command}
    for source in ("dataset", "duckdb"):
        ways[source] = [sys.executable, os.path.abspath(__file__), "--stream", source, model, rows]
    seen = {name: [] for name in ways}
    for _ in range(pairs):
        for name, words in ways.items():
            seen[name].append(run(words, environment))
            seconds, cpu, peak = seen[name][-1]
            print(f"{name:8}  {seconds:6.2f} s  {cpu:6.2f} s of CPU  {peak / 1e6:6.0f} MB", flush=True)
    for name in ways:
        ratio = statistics.median(c[0] / o[0] for c, o in zip(seen["command"], seen[name]))
        more = statistics.median(o[2] - c[2] for c, o in zip(seen["command"], seen[name]))
        print(f"{name:8}  {ratio:.2f} of the command's speed, {more / 1e6:+.0f} MB")


if __name__ == "__main__":
    main()
