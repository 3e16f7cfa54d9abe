"""Fits and transforms over pipes, and what is left when they end early."""

import contextlib
import gc
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import aefeat

pytestmark = pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
ROWS = np.random.default_rng(0).random((3000, 16), dtype=np.float32)


@pytest.fixture(scope="module")
def model():
    return aefeat.fit_arrow(ROWS, hidden=5, epochs=2)


def endless():
    """Batches without an end."""
    (batch,) = aefeat.reader(ROWS[:100])
    while True:
        yield batch


def left():
    """What a process has: children, threads, files and folders."""
    gc.collect()
    names = sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("aefeat"))
    children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    # Workers of other tests' GridSearchCV may go on.
    children = [child for child in children if pathlib.Path(f"/proc/{child}/comm").read_text() == "aefeat\n"]
    folders = [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("aefeat-")]
    return {"children": children, "threads": names, "files": len(os.listdir("/proc/self/fd")), "folders": folders}


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    """Fails if a test leaves a process, a thread, a file or a folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = left()
    yield
    until = time.monotonic() + 5
    while left() != before and time.monotonic() < until:
        time.sleep(0.01)
    assert left() == before


def command(*arguments):
    return subprocess.run([os.environ["AEFEAT_BINARY"], *map(str, arguments)], check=True, capture_output=True).stdout


def test_the_bytes_of_the_command(tmp_path, model):
    pa.parquet.write_table(aefeat.reader(ROWS).read_all(), tmp_path / "rows.parquet")
    command("fit", "--hidden", 5, "--epochs", 2, "-o", tmp_path / "model", tmp_path / "rows.parquet")
    assert (tmp_path / "model").read_bytes() == model.to_bytes()
    want = pa.ipc.open_stream(command("transform", "-m", tmp_path / "model", "--format", "stream", tmp_path / "rows.parquet")).read_all()
    for data in (ROWS, tmp_path / "rows.parquet", [str(tmp_path / "rows.parquet")]):
        for of in (model, model.to_bytes(), str(tmp_path / "model"), tmp_path / "model"):
            assert aefeat.transform_arrow(data, of).read_all().select(range(1, 6)).equals(want.select(range(1, 6)))
    assert aefeat.fit_arrow(tmp_path / "rows.parquet", hidden=5, epochs=2) == model


def test_a_path_like_a_flag(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    pa.parquet.write_table(aefeat.reader(ROWS).read_all(), "-rows.parquet")
    assert aefeat.transform_arrow("-rows.parquet", model).read_all().num_rows == 3000


def test_no_rows_and_one(model):
    assert aefeat.transform_arrow(ROWS[:0], model).read_all().num_rows == 0
    assert aefeat.transform_arrow(ROWS[:1], model).read_all().num_rows == 1
    with pytest.raises(aefeat.AefeatError) as caught:
        aefeat.fit_arrow(ROWS[:0])
    assert caught.value.code == "rows.none" and caught.value.status == 1


def test_settings_that_are_ours(model):
    for name in ("output", "format", "quiet", "model", "sweep", "o"):
        with pytest.raises(TypeError, match=name):
            aefeat.fit_arrow(ROWS, **{name: "x"})


def test_switches_that_are_off():
    off = aefeat.fit_arrow(ROWS, hidden=5, epochs=1, objective="k-sparse", tied=False)
    on = aefeat.fit_arrow(ROWS, hidden=5, epochs=1, objective="k-sparse", tied=None)
    assert "decoder.weight" in off.tensors and "decoder.weight" not in on.tensors


@linux
def test_errors(nothing_left, model):
    bad = ROWS.copy()
    bad[2500, 3] = np.nan
    features = aefeat.transform_arrow(bad, model)
    with pytest.raises(aefeat.AefeatError) as caught:
        features.read_all()
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert (error.code, error.file, error.column, error.row, error.status) == ("patch.not_finite", "standard input", "patch", 2500, 1)
        assert "row 2500" in error.message and str(error).startswith(error.message)
        assert isinstance(error.hints, tuple) and all(f"hint: {hint}" in str(error) for hint in error.hints)
    with pytest.raises(aefeat.AefeatError) as caught:
        aefeat.fit_arrow(ROWS, hiden=5)
    assert caught.value.code == "usage.flag" and caught.value.status == 2 and "hiden" in str(caught.value)
    with pytest.raises(aefeat.AefeatError) as caught:
        aefeat.transform_arrow(ROWS[:, :7], model)
    assert caught.value.code == "patch.width"
    with pytest.raises(aefeat.AefeatError) as caught:
        aefeat.transform_arrow(ROWS, "missing.safetensors")
    assert caught.value.code == "input.missing" and caught.value.file == "missing.safetensors"
    del caught, error, features


def test_no_command(monkeypatch):
    monkeypatch.setenv("AEFEAT_BINARY", "nowhere")
    with pytest.raises(aefeat.AefeatError) as caught:
        aefeat.fit_arrow(ROWS)
    assert caught.value.code == "binary.missing"


def test_warnings_name_the_caller():
    with pytest.warns(aefeat.AefeatWarning) as caught:
        aefeat.fit_arrow(ROWS, hidden=5, epochs=1, learning_rate=1e-9)
    (told,) = [w for w in caught if w.category is aefeat.AefeatWarning]
    assert told.message.code == "fit.unmoved" and told.message.hints
    assert told.filename == __file__
    assert not [w for w in caught if w.category is ResourceWarning and "aefeat" in str(w.message)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", aefeat.AefeatWarning)
        with pytest.raises(aefeat.AefeatWarning):
            aefeat.fit_arrow(ROWS, hidden=5, epochs=1, learning_rate=1e-9)


def failing(after):
    for number, batch in enumerate(endless()):
        if number == after:
            raise LookupError("the source is gone")
        yield batch


@linux
@pytest.mark.parametrize("after", [0, 1, 200])
def test_a_source_that_fails(nothing_left, tmp_path, model, after):
    with pytest.raises(LookupError, match="gone"):
        aefeat.fit_arrow(failing(after), hidden=5, epochs=1, emit=str(tmp_path / "features.parquet"))
    rows = 0
    with pytest.raises(LookupError, match="gone"):
        for batch in aefeat.transform_arrow(failing(after), model):
            rows += batch.num_rows
    assert rows <= 100 * after
    assert not list(tmp_path.iterdir())  # the command saw no end, and wrote nothing


@linux
@pytest.mark.parametrize("taken", [0, 1, 50])
@pytest.mark.parametrize("how", ["dropped", "closed"])
def test_a_reader_that_is_let_go(nothing_left, model, taken, how):
    features = aefeat.transform_arrow(endless(), model)
    for _ in range(taken):
        features.read_next_batch()
    began = time.monotonic()
    if how == "closed":
        features.close()
    del features
    assert left()["children"] == []
    assert time.monotonic() - began < 5


@linux
def test_a_source_that_hangs(nothing_left, model):
    go = threading.Event()

    def hanging():
        yield from [next(endless()), next(endless())]
        go.wait()
        yield next(endless())

    features = aefeat.transform_arrow(hanging(), model)
    features.read_next_batch()
    del features
    assert left()["children"] == []  # at once, although nobody can stop the source
    go.set()


@linux
def test_a_command_that_is_killed(nothing_left, model):
    features = aefeat.transform_arrow(endless(), model)
    features.read_next_batch()
    (child,) = left()["children"]
    os.kill(int(child), signal.SIGKILL)
    with pytest.raises(aefeat.AefeatError) as caught:
        for _ in features:
            pass
    assert caught.value.code == "killed" and caught.value.status == -9
    del features, caught


def test_several_at_once(model):
    want = model.encode(ROWS)

    def work(_):
        table = aefeat.transform_arrow(ROWS, model, layout="list").read_all()
        return table["code"].combine_chunks().flatten().to_numpy().reshape(-1, 5)

    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(work, range(8)):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def interpreter(code, *arguments, **options):
    """Starts an interpreter that has aefeat, X and model."""
    begin = """
        import os, pickle, signal, sys, threading, warnings
        import numpy as np, aefeat
        warnings.simplefilter("ignore")
        X = np.random.default_rng(0).random((3000, 16), dtype=np.float32)
        def endless():
            (batch,) = aefeat.reader(X[:100])
            while True:
                yield batch
    """
    path = os.pathsep.join([str(pathlib.Path(aefeat.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **options},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def alive(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@linux
@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise ValueError", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_an_interpreter_that_ends(tmp_path, model, end):
    model.save(tmp_path / "model")
    code = """
        features = aefeat.transform_arrow(endless(), sys.argv[1])
        features.read_next_batch()
        print(open(f"/proc/self/task/{os.getpid()}/children").read(), flush=True)
    """
    process = interpreter(textwrap.dedent(code) + end, tmp_path / "model", TMPDIR=str(tmp_path))
    out, err = process.communicate(timeout=30)
    assert process.returncode == {"": 0, "sys.exit(3)": 3, "raise ValueError": 1}.get(end, -9), err
    assert end == "raise ValueError" or not err
    until = time.monotonic() + 10
    while alive(out.strip()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(out.strip())
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@linux
def test_a_fork_leaves_the_command_alone(tmp_path, model):
    model.save(tmp_path / "model")
    code = """
        features = aefeat.transform_arrow((b for b, _ in zip(endless(), range(300))), sys.argv[1])
        rows = features.read_next_batch().num_rows
        pid = os.fork()
        if not pid:
            del features
            sys.exit(0)
        os.waitpid(pid, 0)
        print(rows + sum(batch.num_rows for batch in features))
    """
    out, err = interpreter(code, tmp_path / "model").communicate(timeout=30)
    assert out.strip() == "30000", err


SETTINGS = {"hidden": 5, "epochs": 3, "batch_size": 50}


def test_an_interrupt_from_the_source_keeps_the_checkpoint(tmp_path):
    rows = np.random.default_rng(1).random((40_000, 16), dtype=np.float32)  # more than a pipe holds
    whole = aefeat.fit_arrow(rows, **SETTINGS)

    def interrupted():
        for number, batch in enumerate(aefeat.reader(rows)):
            if number == 18:
                until = time.monotonic() + 5  # it may be waiting for more rows
                while not (tmp_path / "c").exists() and time.monotonic() < until:
                    time.sleep(0.01)
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        aefeat.fit_arrow(interrupted(), checkpoint=tmp_path / "c", checkpoint_every="1us", **SETTINGS)
    assert aefeat.fit_arrow(rows, resume=tmp_path / "c") == whole


@linux
def test_a_real_interrupt_keeps_the_checkpoint(tmp_path):
    settings = {**SETTINGS, "epochs": 500}
    code = """
        settings = eval(sys.argv[2])
        try:
            aefeat.fit_arrow(X[:1000], checkpoint=sys.argv[1], **settings)
        except KeyboardInterrupt:
            print("interrupted")
    """
    process = interpreter(code, tmp_path / "c", settings, TMPDIR=str(tmp_path))
    until = time.monotonic() + 30
    while not (tmp_path / "c").exists() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out.strip() == "interrupted", err
    assert [entry.name for entry in tmp_path.iterdir()] == ["c"]
    assert aefeat.fit_arrow(ROWS[:1000], resume=tmp_path / "c") == aefeat.fit_arrow(ROWS[:1000], **settings)


@linux
def test_memory_is_bounded(tmp_path):
    code = """
        import resource
        (batch,) = aefeat.reader(np.zeros((1000, 400), np.uint8) + np.arange(1000, dtype=np.uint8)[:, None])
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        model = aefeat.fit_arrow((batch for _ in range(300)), hidden=4, epochs=1, preprocess="scale")
        rows = sum(b.num_rows for b in aefeat.transform_arrow((batch for _ in range(300)), model))
        print(rows, peak() - before)
    """
    out, err = interpreter(code).communicate(timeout=60)
    rows, more = map(int, out.split())
    assert rows == 300_000 and more < 60 << 10, err  # in KiB, of 120 MB in and 125 MB out


EVENTS = [
    {"event": "progress", "phase": "fit", "rows": 10},
    {"event": "progress", "phase": "fit", "rows": 90, "total_rows": 100, "rows_per_second": 50, "epoch": 1, "epochs": 2, "total_cost": 1.5},
    {"event": "epoch", "rows": 0, "total_rows": 100, "epoch": 2, "epochs": 2},
    {"event": "done"},
]


@pytest.mark.parametrize("there", ["tqdm", "rich", None])
def test_progress(monkeypatch, capsys, there):
    from aefeat import progress

    if there is not None:
        pytest.importorskip(there)
    for name in {"tqdm", "rich"} - {there}:
        for module in [name, f"{name}.auto", f"{name}.console", f"{name}.progress"]:
            monkeypatch.setitem(sys.modules, module, None)
    with progress.shown(True) as show:
        assert (show is None) == (there is None)
        for event in EVENTS if show is not None else []:
            show(event)
    out, err = capsys.readouterr()
    assert not out and ("tqdm" != there or "epoch 1/2:  90%" in err and "cost=1.5" in err)
    with progress.shown(None) as show:  # nobody looks
        assert show is None
