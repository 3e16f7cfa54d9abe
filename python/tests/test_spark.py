"""Fits, transforms and evaluations on a small cluster of Spark, whose executors are processes of their own."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import aefeat
from aefeat import _binary

pyspark = pytest.importorskip("pyspark", reason="NOT TESTED: aefeat.spark needs PySpark")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("NOT TESTED: aefeat.spark needs Java", allow_module_level=True)

from aefeat import _partitions, spark  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.ml.functions import array_to_vector  # noqa: E402
from pyspark.sql import SparkSession, functions as F  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::aefeat.AefeatWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

X = np.random.default_rng(0).integers(0, 256, (600, 16), dtype=np.uint8)
X[:, 1] = X[:, 0] // 2  # something to learn
SETTINGS = {"n_hidden": 5, "rounds": 3}

# The command of the executors. Where the file "kill" is, the first that gathers
# sums removes it and kills its executor: the parent of Python's daemon.
COMMAND = """
    #!/bin/sh
    if [ "$1" = sums ] && rm "{folder}/kill" 2>/dev/null; then
        parent() {{ sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$1/stat; }}
        kill -9 $(parent $(parent $PPID))
    fi
    exec "{command}" "$@"
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spark")
    command = folder / "command"
    command.write_text(textwrap.dedent(COMMAND).lstrip().format(folder=folder, command=_binary.path()))
    command.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", os.path.dirname(pyspark.__file__))
        patch.setenv("SPARK_WORKER_DIR", str(folder / "work"))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([os.path.dirname(os.path.dirname(aefeat.__file__)), os.environ.get("PYTHONPATH", "")]))
        settings = {
            # Much of the time goes by with starting; this makes it less.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.ui.enabled": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": str(folder / "local"),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.sql.shuffle.partitions": "2",
            "spark.executorEnv.AEFEAT_BINARY": str(command),
        }
        builder = SparkSession.builder.master("local-cluster[2,1,1024]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        running = builder.getOrCreate()
        running.sparkContext.setLogLevel("OFF")
        running.conf.set("aefeat.folder", str(folder))
        yield running
        running.stop()


@pytest.fixture(scope="module")
def df(session):
    """The rows in four partitions: 250, 50, none and 300 of them."""
    begins = [0, 250, 300, 300, 600]

    def rows(batches):
        (part,) = [batch.column(0)[0].as_py() for batch in batches]
        numbers = range(begins[part], begins[part + 1])
        yield pa.RecordBatch.from_pydict({"id": numbers, "patch": pa.array([X[i].tobytes() for i in numbers], pa.binary())})

    return session.range(0, 4, 1, 4).mapInArrow(rows, "id long, patch binary").persist()


@pytest.fixture(scope="module")
def table():
    return pa.table({"id": range(600), "patch": pa.FixedSizeListArray.from_arrays(X.reshape(-1), 16)})


@pytest.fixture(scope="module")
def model(df):
    return spark.fit(df, "patch", **SETTINGS)


def cost(model):
    return model.config["history"][-1]["cost"]["total"]


def children():
    """Commands that run below this process, executors included."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    below = {str(os.getpid())}
    for _ in range(8):
        below |= {pid for pid, parent, _ in rows if parent in below}
    return [pid for pid, _, name in rows if pid in below and name.strip() == "aefeat"]


def test_lbfgs_is_that_of_the_command(df, table, model):
    one = aefeat.fit_arrow(table, column="patch", hidden=5, optimizer="lbfgs", epochs=3, preprocess="auto")
    assert model.config["preprocess"] == one.config["preprocess"]
    assert model.config["history"][-1]["rows"] == 600
    assert cost(model) == pytest.approx(cost(one), rel=1e-7)


def test_a_killed_executor_changes_nothing(session, df, model):
    kill = pathlib.Path(session.conf.get("aefeat.folder")) / "kill"
    kill.touch()
    assert spark.fit(df, "patch", **SETTINGS) == model
    assert not kill.exists()


def test_executors_merge_to_the_same_bytes(monkeypatch, df, model):
    monkeypatch.setattr(spark, "_COLLECT", 1)
    monkeypatch.setattr(spark, "_MERGE_BITS", 1)
    assert spark.fit(df, "patch", **SETTINGS) == model


def test_resume(tmp_path, df, model):
    first = spark.fit(df, "patch", n_hidden=5, rounds=1, checkpoint=tmp_path / "c")
    assert first != model
    assert spark.fit(df, "patch", rounds=3, resume=tmp_path / "c") == model
    with pytest.raises(aefeat.AefeatError, match="of 4 partitions, and df has 1") as caught:
        spark.fit(df.coalesce(1), "patch", resume=tmp_path / "c")
    assert caught.value.code == "checkpoint.input"
    with pytest.raises(aefeat.AefeatError) as caught:
        spark.fit(df, "patch", resume=tmp_path / "nothing")
    assert caught.value.code == "input.missing"
    with pytest.raises(TypeError, match="resume"):
        spark.fit(df, "patch", 5, resume=tmp_path / "c")


def test_arrays_and_vectors(df):
    arrays = df.select(F.expr("transform(sequence(1, 16), i -> cast(conv(hex(substring(patch, i, 1)), 16, 10) / 255 as float))").alias("v"))
    vectors = arrays.select(array_to_vector("v").alias("v"))
    fitted = spark.fit(arrays, "v", n_hidden=5, rounds=1)
    assert spark.fit(vectors, "v", n_hidden=5, rounds=1) == fitted
    codes = fitted.encode(X / np.float32(255))
    for rows in (arrays, vectors, vectors.withColumnRenamed("v", "a.b")):
        found = spark.transform(rows, fitted, column=rows.columns[0], output="c.d")
        assert found.schema.fields[:-1] == rows.schema.fields
        np.testing.assert_allclose([row[-1] for row in found.collect()], codes, rtol=1e-5)


def test_learned_preprocessing(df, table):
    fitted = spark.fit(df, "patch", n_hidden=5, rounds=2, preprocess="zca")
    one = aefeat.fit_arrow(table, column="patch", hidden=5, optimizer="lbfgs", epochs=2, preprocess="zca")
    assert cost(fitted) == pytest.approx(cost(one), rel=1e-6)
    again = spark.fit(df, "patch", rounds=1, init=fitted)
    assert again.config["preprocess"] == fitted.config["preprocess"] and cost(again) < cost(fitted)


def test_noise(df, table):
    settings = {"objective": "denoising", "preprocess": "scale"}
    one = aefeat.fit_arrow(table, column="patch", hidden=5, optimizer="lbfgs", epochs=1, **settings)
    numbered = spark.fit(df, "patch", n_hidden=5, rounds=1, row_column="id", **settings)
    assert cost(numbered) == pytest.approx(cost(one), rel=1e-7)
    hashed = spark.fit(df, "patch", n_hidden=5, rounds=1, **settings)
    assert abs(cost(hashed) / cost(one) - 1) > 1e-5
    # Wherever rows are, the hash gives them the same noise.
    assert cost(spark.fit(df.coalesce(1), "patch", n_hidden=5, rounds=1, **settings)) == pytest.approx(cost(hashed), rel=1e-7)


def test_averaging(tmp_path, df, table):
    settings = {"preprocess": "scale", "batch_size": 50}
    fitted = spark.fit(df, "patch", n_hidden=5, optimizer="average", rounds=2, epochs=2, checkpoint=tmp_path / "c", **settings)

    def command(*arguments):
        subprocess.run([_binary.path(), *map(str, arguments), "-q"], check=True, cwd=tmp_path)

    parts = [table.slice(0, 250), table.slice(250, 50), table.slice(300, 300)]
    pa.parquet.write_table(table, tmp_path / "rows")
    command("fit", "--epochs", 0, "--hidden", 5, "--preprocess", "scale", "-o", "point", "--column", "patch", "rows")
    for _ in range(2):
        for number, part in enumerate(parts):
            pa.parquet.write_table(part, tmp_path / "rows")
            command("fit", "--init", "point", "--epochs", 2, "--batch-size", 50, "--column", "patch", "-o", f"{number}", "rows")
        command("average", "0", "1", "2", "-o", "point")
    assert cost(fitted) == pytest.approx(cost(aefeat.load(tmp_path / "point")), rel=1e-12)
    assert all(np.array_equal(tensor, fitted.tensors[name]) for name, tensor in aefeat.load(tmp_path / "point").tensors.items())
    assert aefeat.load(tmp_path / "c") == fitted


def test_transform_has_the_bits_of_the_command(tmp_path, df, table, model):
    found = spark.transform(df.withColumn("when", F.current_timestamp()), model.to_bytes())
    assert found.columns == ["id", "patch", "when", "code"]
    found.write.parquet(str(tmp_path / "features"))
    got = pa.parquet.read_table(tmp_path / "features").sort_by("id")
    want = aefeat.transform_arrow(table, model, column="patch", layout="array").read_all()
    assert got["code"].combine_chunks().flatten().equals(want["code"].combine_chunks().flatten())
    assert got["patch"].to_pylist() == [row.tobytes() for row in X]
    assert spark.transform(df, model).limit(3).count() == 3  # whoever wants no more
    with pytest.raises(ValueError, match="already"):
        spark.transform(found, model)


def test_evaluate(tmp_path, df, table, model):
    model.save(tmp_path / "model")
    pa.parquet.write_table(table, tmp_path / "rows")
    told = subprocess.run([_binary.path(), "evaluate", "--json", "-m", tmp_path / "model", tmp_path / "rows"], check=True, capture_output=True)
    want = json.loads(told.stdout)
    found = spark.evaluate(df, tmp_path / "model")
    assert found.keys() == want.keys() and found["rows"] == 600
    assert found["cost"] == pytest.approx(want["cost"], rel=1e-9)


def test_what_the_command_finds_wrong_fails_the_task(df, model):
    broken = df.withColumn("patch", F.expr("if(id = 307, unhex('0102'), patch)"))
    for result in (lambda: spark.transform(broken, model).collect(), lambda: spark.evaluate(broken, model)):
        with pytest.raises(PySparkException) as caught:
            result()
        assert 'aefeat.errors.AefeatError: partition 3: standard input: column "patch": row 7: ' in str(caught.value)
    skipped = spark.transform(broken, model, on_bad_row="skip")
    assert [row.id for row in skipped.collect() if row.code is None] == [307]
    assert spark.evaluate(broken, model, on_bad_row="skip")["rows"] == 599
    assert children() == []


def test_what_fails_before_fails_the_task(df, model):
    broken = df.withColumn("patch", F.expr("if(id = 590, cast(raise_error('the source is gone') as binary), patch)"))
    for result in (lambda: spark.transform(broken, model).collect(), lambda: spark.evaluate(broken, model)):
        with pytest.raises(PySparkException, match="the source is gone"):
            result()
    assert children() == []


def test_a_child_sees_no_end_of_rows_that_fail(tmp_path, monkeypatch):
    """Nor does it live on."""
    command = tmp_path / "command"
    command.write_text(f"#!{sys.executable}\nimport sys\nsys.stdin.buffer.read()\nopen({str(tmp_path / 'ended')!r}, 'w')\n")
    command.chmod(0o755)
    monkeypatch.setenv("AEFEAT_BINARY", str(command))

    def failing():
        for _ in range(3):
            yield next(iter(aefeat.reader(X)))
        raise LookupError("the source is gone")

    with pytest.raises(LookupError):
        _partitions.run(["sums"], aefeat.reader(failing()))
    assert not (tmp_path / "ended").exists()
    assert _partitions.run(["sums"], aefeat.reader(X)) == b""
    assert (tmp_path / "ended").exists()


def test_columns_that_do_not_do(df, model):
    with pytest.raises(ValueError, match="no column 'image': it has id, patch"):
        spark.fit(df, "image")
    with pytest.raises(TypeError, match="bigint"):
        spark.transform(df, model, column="id")
    with pytest.raises(ValueError, match="adam"):
        spark.fit(df, "patch", optimizer="adam")
    for optimizer in ("lbfgs", "average"):
        with pytest.raises(aefeat.AefeatError) as caught:
            spark.fit(df.where("id < 0"), "patch", optimizer=optimizer)
        assert caught.value.code == "rows.none"




def test_rows_that_change(monkeypatch, df):
    def some(batches):
        for batch in batches:
            yield batch.slice(0, np.random.default_rng().integers(1, batch.num_rows))

    monkeypatch.setattr(spark, "_persisted", lambda df, rows: contextlib.nullcontext())
    with pytest.raises(aefeat.AefeatError, match="df has .* rows, and had .* in the pass before: persist") as caught:
        spark.fit(df.mapInArrow(some, df.schema), "patch", n_hidden=5)
    assert caught.value.code == "sums.shards" and children() == []
