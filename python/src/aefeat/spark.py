"""Fit, transform and evaluate the rows of a DataFrame of Spark.

>>> from aefeat import spark as features  # doctest: +SKIP
>>> model = features.fit(df, "image", n_hidden=196)  # doctest: +SKIP
>>> features.transform(df, model).write.parquet("features")  # doctest: +SKIP

Every executor needs this package. A task pipes the batches of its partition into
the command there, and returns sums or codes. Sums are merged in the order of the
partitions, by a tree that is fixed. So equal partitions give equal bytes,
whichever tasks are tried again, run twice or come late.

The column has patches: BinaryType, whose bytes are values from 0 to 255,
ArrayType of numbers, or vectors of pyspark.ml. Encoded images have to be decoded
first. Sessions of Spark Connect do not do.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
from typing import Any, Callable, Iterator

import pyarrow as pa
from pyspark import RDD, StorageLevel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ArrayType, BinaryType, FloatType, StructField, StructType

from . import _partitions, progress as _progress
from ._command import Command, Event, flags
from ._partitions import SHARDS, run, scratch, write
from .errors import AefeatError
from .network import Model, load
from .streams import ModelLike

__all__ = ["evaluate", "fit", "transform"]


def fit(
    df: DataFrame,
    column: str,
    n_hidden: int | None = None,
    *,
    optimizer: str = "lbfgs",
    rounds: int | None = None,
    epochs: int = 5,
    preprocess: str | None = None,
    row_column: str | None = None,
    on_bad_row: str | None = None,
    pixel_max: float | None = None,
    init: ModelLike | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Model:
    """Fit a model to the rows of df and return it.

    With ``"lbfgs"`` an iteration takes a pass over all partitions, sometimes two,
    for the exact gradient: the model is that of one machine but for rounding.
    With ``"average"`` each partition is trained by itself from one model, and the
    models are averaged, in rounds. Rows must not be sorted then.

    The column is read in every pass, and so persisted as long, unless df is. A
    partition that is computed anew has to give its rows in the same order. After
    a shuffle that is not so: sort within the partitions, or write df first.

    Args:
        df: the rows.
        column: the column with the patches.
        n_hidden: h, the number of hidden units. None: 196.
        optimizer: ``"lbfgs"`` or ``"average"``.
        rounds: iterations at most, or rounds of ``"average"``. None: 400, or 6.
        epochs: of ``"average"``, in each partition and round.
        preprocess: as that of :class:`aefeat.Autoencoder`. None: ``"auto"``. The first
            10,000 rows of a partition decide what that is, and all rows what it
            learns.
        row_column: a column of integers, from 0 up and different for all rows, that
            noise is drawn by. None: a hash of the patch, so that equal patches get
            equal noise. ``"average"`` counts the rows of each partition instead.
        on_bad_row: ``"fail"``, the default, or ``"skip"``.
        pixel_max: the largest pixel. None: by the type of the column.
        init: a model to begin with, in place of a new one.
        checkpoint: a file on the driver that keeps the state of ``"lbfgs"`` after each
            pass, or the model of the last round of ``"average"``, for init.
        resume: a checkpoint of ``"lbfgs"`` to go on from, over the same partitions,
            to the same bytes. The settings are its own.
        progress: show it. None: where somebody looks at it.
        settings: the command's, such as ``objective="denoising"``.

    Raises:
        AefeatError: what the command says is wrong, on the driver.
        pyspark.errors.PySparkException: a task failed, of whose message the command's
            is a part.
        TypeError, ValueError: df has no such column, or it has no patches.
    """
    if optimizer not in ("lbfgs", "average"):
        raise ValueError(f"optimizer is {optimizer!r}, and 'lbfgs' or 'average' is needed")
    averages = optimizer == "average"
    if resume is not None and (averages or settings or init is not None or n_hidden is not None or preprocess is not None):
        raise TypeError("resume goes on with lbfgs and the settings of the checkpoint: no others go beside it")
    about_rows = flags({"on_bad_row": on_bad_row, "pixel_max": pixel_max})
    with scratch() as folder, _progress.shown(progress) as show:
        begin = os.path.join(folder, "begin")
        if resume is None:
            settings = {"hidden": n_hidden, "preprocess": preprocess or ("auto" if init is None else None), **settings}
            if init is not None:
                settings["init"] = write(folder, "init", _content(init))
            _begin(_patches(df, column), begin, [*flags(settings), *about_rows, *([] if averages else ["--optimizer=lbfgs"])])
        # What a checkpoint needs is not known yet.
        noisy = not averages and (resume is not None or load(begin).config.get("corruption", 0) > 0)
        rows = _numbered(df, column, row_column) if noisy else _patches(df, column)
        with _persisted(df, rows):
            shards = _Shards(rows, folder, about_rows)
            if resume is None and (init is None or preprocess is not None):
                _learn(shards, begin)
            if averages:
                local = {name: settings[name] for name in _LOCAL if name in settings}
                return _average(shards, begin, rounds or 6, flags({**local, "epochs": epochs}), checkpoint, show)
            return _drive(shards, begin, rounds, checkpoint, resume, ["--row-column", _NUMBER] if noisy else [], show)


def transform(
    df: DataFrame,
    model: ModelLike,
    *,
    column: str | None = None,
    output: str = "code",
    on_bad_row: str | None = None,
    pixel_max: float | None = None,
) -> DataFrame:
    """Return df with a column more: the codes of a model, an array of h floats.

    Codes are those of ``aefeat transform``, bit by bit. It happens when the result
    is used, in memory for some batches.

    Args:
        df: the rows.
        model: a model, its bytes or its path on the driver.
        column: the column with the patches. None: the one of the fit.
        output: the name of the column of codes.
        on_bad_row: ``"fail"``, the default, or ``"skip"``: a null in place of the code.
        pixel_max: the largest pixel. None: by the type of the column.

    Raises:
        pyspark.errors.PySparkException: a task failed, when the result is used.
        TypeError, ValueError: df has no such column, or it has no patches.
    """
    content = _content(model)
    column = column or _column(load(content))
    patch = _patch(df, column)
    if output in df.columns:
        raise ValueError(f"df has a column {output!r} already: give output another name")
    rows, at = df, df.columns.index(column)
    if type(df.schema[column].dataType).__name__ == "VectorUDT":
        rows, at = df.select("*", patch), len(df.columns)
    task = functools.partial(
        _partitions.encode,
        {"on_bad_row": on_bad_row, "pixel_max": pixel_max},
        df.sparkSession.sparkContext.broadcast(content),
        at,
        [*df.columns, output],
        to_arrow_schema(_patches(df, column).schema),
    )
    return _mapped(rows, task, StructType([*df.schema.fields, StructField(output, ArrayType(FloatType(), containsNull=False))]))


def evaluate(
    df: DataFrame,
    model: ModelLike,
    *,
    column: str | None = None,
    on_bad_row: str | None = None,
    pixel_max: float | None = None,
) -> dict[str, Any]:
    """Return the cost of a model on the rows of df, as ``aefeat evaluate --json`` does.

    It takes one pass. The arguments are those of :func:`transform`, and errors, too.
    """
    content = _content(model)
    rows = _patches(df, column or _column(load(content)))
    with scratch() as folder:
        shards = _Shards(rows, folder, flags({"column": column, "on_bad_row": on_bad_row, "pixel_max": pixel_max}))
        path = write(folder, "model", content)
        found: dict[str, Any] = json.loads(run(["evaluate", "--json", "-m", path, "--sums", shards.merged(["sums", "--of", "evaluation"], path)]))
        return found


# The column with the numbers of rows, for the time of a fit.
_NUMBER = "aefeat_number"

# Rows that preprocessing is decided from, as the command does.
_HEAD = 10_000

# Settings of the command that are about local training alone.
_LOCAL = ("batch_size", "learning_rate", "momentum", "memory", "spill_dir")

# Bytes of sums that the driver takes in at once, a quarter of what Spark allows
# a job by default. If there are more, executors merge them first.
_COLLECT = 256 << 20

# Sums that a task merges, at most: 2^4.
_MERGE_BITS = 4


def _content(model: ModelLike) -> bytes:
    if isinstance(model, Model):
        return model.to_bytes()
    if isinstance(model, bytes):
        return model
    with open(model, "rb") as f:
        return f.read()


def _column(model: Model) -> str:
    """Return the column that a model was fitted to."""
    columns = model.config.get("binding", {}).get("columns", [])
    if len(columns) != 1:
        raise ValueError(f"the model was fitted to {len(columns)} columns: name one that has their values in an array")
    return str(columns[0])


def _patch(df: DataFrame, column: str) -> Column:
    """Return a column as the command can have it."""
    if column not in df.columns:
        raise ValueError(f"df has no column {column!r}: it has {', '.join(df.columns)}")
    kind = df.schema[column].dataType
    quoted = "`" + column.replace("`", "``") + "`"
    if isinstance(kind, (BinaryType, ArrayType)):
        return F.col(quoted)
    if type(kind).__name__ == "VectorUDT":
        return vector_to_array(F.col(quoted), "float32")
    raise TypeError(f"column {column!r} is {kind.simpleString()}, and patches are binary, arrays or vectors")


def _patches(df: DataFrame, column: str) -> DataFrame:
    return df.select(_patch(df, column).alias(column))


def _numbered(df: DataFrame, column: str, number: str | None) -> DataFrame:
    """Return the patches and numbers of their rows."""
    patch = _patch(df, column)
    numbers = F.col(number) if number else F.xxhash64(patch).bitwiseAND(F.lit((1 << 63) - 1))
    return df.select(patch.alias(column), numbers.alias(_NUMBER))


def _mapped(rows: DataFrame, task: Callable[..., Any], schema: StructType | str) -> DataFrame:
    """Let task have the batches of each partition; names would have to be plain ones."""
    return rows.toDF(*map(str, range(len(rows.columns)))).mapInArrow(task, schema)


@contextlib.contextmanager
def _persisted(df: DataFrame, rows: DataFrame) -> Iterator[None]:
    """Persist rows, which are of df.

    This also keeps their partitions: Spark makes those of files by how many cores
    there are at the time, which changes when an executor dies.
    """
    if df.storageLevel.useMemory or df.storageLevel.useDisk:
        yield
        return
    rows.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield
    finally:
        rows.unpersist()


def _begin(rows: DataFrame, path: str, arguments: list[str]) -> None:
    """Write the initial model, which the first rows give its shape."""
    task = functools.partial(_partitions.head, _HEAD, to_arrow_schema(rows.schema))
    first = _mapped(rows, task, SHARDS).take(1)
    if not first:
        raise AefeatError("no rows to learn from", code="rows.none")
    with pa.ipc.open_stream(first[0].content) as reader:
        run(["fit", "--epochs", "0", "-o", path, *arguments, "-"], reader)


class _Shards:
    """The partitions of a DataFrame, over which sums are gathered."""

    def __init__(self, rows: DataFrame, folder: str, flags: list[str]) -> None:
        self.count = 0  # partitions; 0: not known yet
        self.folder = folder
        self.rows = rows
        self._flags = flags  # about rows
        self._seen = -1  # rows of a pass; -1: not known yet

    @contextlib.contextmanager
    def results(self, task: Callable[..., Any], arguments: list[str], point: str) -> Iterator[RDD[Any]]:
        """Yield the numbers of partitions and what task returns for them.

        The point, a model file, is sent to executors once, and taken back.
        """
        with open(point, "rb") as f:
            model = self.rows.sparkSession.sparkContext.broadcast(f.read())
        try:
            of = functools.partial(task, [*arguments, *self._flags], model, to_arrow_schema(self.rows.schema))
            found = _mapped(self.rows, of, SHARDS).rdd
            count = found.getNumPartitions()
            if self.count and count != self.count:
                raise AefeatError(f"df has {count} partitions, and had {self.count}: persist or checkpoint it", code="sums.shards")
            self.count = count
            yield found
        finally:
            model.destroy()

    def sums(self, arguments: list[str], point: str) -> list[str]:
        """Gather sums at a point, and return their files, which stay until the next time."""
        model = load(point)
        size = 24 * model.n_hidden * model.n_inputs + 8 * model.n_inputs**2  # bytes at most, whatever they are of
        with self.results(_partitions.gather, arguments, point) as found:
            groups, sums = self.count, found.map(tuple)
            while groups > 1 and groups * size > _COLLECT:
                bits = min(_MERGE_BITS, (groups * size // _COLLECT).bit_length())
                groups = ((groups - 1) >> bits) + 1
                sums = sums.map(functools.partial(_grouped, bits)).partitionBy(groups, int).mapPartitionsWithIndex(_partitions.merge)
            collected = sums.collect()
        seen = sum(count for _, count, _ in collected)
        if self._seen not in (-1, seen):
            raise AefeatError(f"df has {seen} rows, and had {self._seen} in the pass before: persist, checkpoint or write it", code="sums.shards")
        self._seen = seen
        return [write(self.folder, f"{group}.sums", content) for group, _, content in collected]

    def merged(self, arguments: list[str], point: str) -> str:
        """Gather sums at a point, and return the file of them all."""
        files, path = self.sums(arguments, point), os.path.join(self.folder, "all.sums")
        run(["merge", "--shards", str(self.count), "-o", path, *files])
        return path


def _grouped(bits: int, shard: tuple[int, int, bytes]) -> tuple[int, tuple[int, bytes]]:
    return shard[0] >> bits, shard[1:]


def _learn(shards: _Shards, begin: str) -> None:
    """Let the preprocessing of the initial model learn from all rows."""
    if load(begin).config["preprocess"]["method"] in ("patch", "standardize", "zca"):
        sums = shards.merged(["statistics"], begin)
        run(["statistics", "-m", begin, "--sums", sums, "-o", begin + ".learned"])
        os.replace(begin + ".learned", begin)


def _drive(
    shards: _Shards,
    begin: str,
    iterations: int | None,
    checkpoint: str | os.PathLike[str] | None,
    resume: str | os.PathLike[str] | None,
    numbers: list[str],
    show: Callable[[Event], None] | None,
) -> Model:
    """Train with the sums of passes, which the command asks for."""
    shards.count = shards.count or shards.rows.rdd.getNumPartitions()
    output = os.path.join(shards.folder, "model")
    if resume is None:
        of = ["-m", begin, "--shards", str(shards.count)]
    else:
        of = []
        _check_count(shards.count, resume)
    settings = flags({"epochs": iterations, "checkpoint": checkpoint, "resume": resume})
    command = Command(["drive", *of, "-o", output, *settings], rows_in=True, rows_out=True, on_event=show)
    try:
        assert command.process.stdin is not None and command.process.stdout is not None
        with command.process.stdin as lines:
            for line in command.process.stdout:
                word, _, point = line.decode().rstrip("\n").partition(" ")
                if word == "pass":
                    files = shards.sums(["sums", *numbers], point)
                    with contextlib.suppress(BrokenPipeError):  # its own error comes
                        lines.write("".join(f"{file}\n" for file in files).encode())
        command.wait()
    finally:
        command.stop()
    return load(output)


def _check_count(count: int, checkpoint: str | os.PathLike[str]) -> None:
    """Raise an error if a checkpoint is of another number of partitions.

    The command would wait for more of them. What else may be wrong it says itself.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(checkpoint, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        wanted = json.loads(header["__metadata__"]["checkpoint"])["host"]["shards"]
        if wanted != count:
            message = f"{os.fspath(checkpoint)}: the checkpoint is of {wanted} partitions, and df has {count}"
            raise AefeatError(message, code="checkpoint.input", file=os.fspath(checkpoint))


def _average(
    shards: _Shards,
    begin: str,
    rounds: int,
    local: list[str],
    checkpoint: str | os.PathLike[str] | None,
    show: Callable[[Event], None] | None,
) -> Model:
    """Average what the partitions make of a model, in rounds."""
    point = begin
    for number in range(1, rounds + 1):
        with shards.results(_partitions.train, local, point) as found:
            found.persist(StorageLevel.MEMORY_AND_DISK)
            found.count()  # in parallel; the driver then takes one after the other
            try:
                models = [write(shards.folder, f"{shard}.model", content) for shard, _, content in found.toLocalIterator()]
            finally:
                found.unpersist()
        if not models:
            raise AefeatError("no rows to learn from", code="rows.none")
        point = os.path.join(shards.folder, f"round-{number % 2}")
        run(["average", "-o", point, *models])
        if checkpoint is not None:
            shutil.copyfile(point, f"{os.fspath(checkpoint)}.part")
            os.replace(f"{os.fspath(checkpoint)}.part", checkpoint)
        if show is not None:
            epoch = load(point).config["history"][-1]
            show({"event": "epoch", "epoch": number, "epochs": rounds, "rows": epoch["rows"], "total_cost": epoch["cost"]["total"]})
    return load(point)
