"""What a task of Spark does with its partition: the command does it, over pipes.

Everything here runs on executors. What a task returns depends on its partition,
the model and the settings alone, so that it may run twice, anywhere.

An exception while batches are read ends the command before it sees an end of its
rows. What fails within Spark is no exception here: the batches of the task end
like others, and Spark takes nothing of what it returns.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections import deque
from typing import Any, Iterable, Iterator

import pyarrow as pa
from pyspark import SparkFiles, TaskContext

from ._command import Command
from .errors import AefeatError
from .streams import transform_arrow

Batches = Iterator[pa.RecordBatch]

# What a task returns: the number of the partition, how many rows it has read, and
# bytes.
SHARDS = "shard long, rows long, content binary"


def head(limit: int, schema: pa.Schema, batches: Batches) -> Batches:
    """Return the first rows of a partition, at most limit, as an Arrow stream."""
    sink = pa.BufferOutputStream()
    left = limit
    reader = _reader(schema, batches)
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch.slice(0, left))
            left -= min(left, batch.num_rows)
            if not left:
                break
    if left < limit:
        yield _shard(limit - left, sink.getvalue().to_pybytes())


def gather(arguments: list[str], point: Any, schema: pa.Schema, batches: Batches) -> Batches:
    """Return what ``sums`` or ``statistics`` gathers over a partition at a point.

    point is a broadcast model. A partition without rows has sums, too.
    """
    verb, *flags = arguments
    rows = 0

    def counted() -> Batches:
        nonlocal rows
        for batch in batches:
            rows += batch.num_rows
            yield batch

    with _telling(), scratch(SparkFiles.getRootDirectory()) as folder:
        path = write(folder, "point", point.value)
        shard = str(_partition())
        sums = run([verb, "-m", path, "--shard", shard, *flags, "-"], _reader(schema, counted()))
        yield _shard(rows, sums)


def train(flags: list[str], point: Any, schema: pa.Schema, batches: Batches) -> Batches:
    """Return the model that a partition makes of point, if it has rows."""
    with _telling(), scratch(SparkFiles.getRootDirectory()) as folder:
        path = write(folder, "point", point.value)
        try:
            model = run(["fit", "--init", path, *flags, "-"], _reader(schema, batches))
        except AefeatError as error:
            if error.code == "rows.none":
                return
            raise
        yield _shard(0, model)


def encode(settings: dict[str, Any], model: Any, at: int, names: list[str], schema: pa.Schema, batches: Batches) -> Batches:
    """Return the columns of a partition and its codes, under these names.

    at is the index of the column with the patches, whose schema is schema. Some
    batches are on their way at a time.
    """
    waiting: deque[pa.RecordBatch] = deque()
    kept = len(names) - 1

    def patches() -> Batches:
        for batch in batches:
            waiting.append(batch)
            yield batch.select([at])

    with _telling(), scratch(SparkFiles.getRootDirectory()) as folder:
        path = write(folder, "model", model.value)
        reader = _reader(schema, patches())
        rows: pa.RecordBatch | None = None
        for codes in transform_arrow(reader, path, layout="array", keep="none", column=schema.names[0], progress=False, **settings):
            done = 0
            while done < codes.num_rows:
                if rows is None or not rows.num_rows:
                    rows = waiting.popleft()
                    continue
                size = min(rows.num_rows, codes.num_rows - done)
                columns = [*rows.slice(0, size).columns[:kept], codes.column(0).slice(done, size)]
                yield pa.RecordBatch.from_arrays(columns, names=names)
                rows, done = rows.slice(size), done + size


def merge(group: int, shards: Iterable[tuple[int, tuple[int, bytes]]]) -> Iterator[tuple[int, int, bytes]]:
    """Merge the sums of a group of shards, of which one is in memory at a time."""
    rows = 0
    paths: list[str] = []
    with scratch(SparkFiles.getRootDirectory()) as folder:
        for _, (count, content) in shards:
            rows += count
            paths.append(write(folder, str(len(paths)), content))
        yield group, rows, run(["merge", *paths])


def run(arguments: list[str], reader: pa.RecordBatchReader | None = None) -> bytes:
    """Run the command over rows, and return what it writes at their end.

    If reader fails, so does this, and the command has seen no end of its rows.
    """
    command = Command(arguments, rows_in=reader is not None, rows_out=True)
    try:
        if reader is not None:
            command.feed(reader)
        assert command.process.stdout is not None
        output: bytes = command.process.stdout.read()
        command.wait()
        return output
    finally:
        command.stop()


def write(folder: str, name: str, content: bytes) -> str:
    """Write a file, and return its path."""
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(content)
    return path


def scratch(beside: str | None = None) -> tempfile.TemporaryDirectory[str]:
    """Return a folder that goes when the context is left."""
    return tempfile.TemporaryDirectory(prefix="aefeat-", dir=beside)


def _reader(schema: pa.Schema, batches: Batches) -> pa.RecordBatchReader:
    """Return a reader of batches, with numbers in place of bytes.

    schema is theirs, whose names they get, and of which the types count if there
    is no batch.
    """
    first = next(batches, None)
    begin = pa.RecordBatch.from_pylist([], schema) if first is None else first
    converted = (_numbers(batch, schema.names) for batch in (batches if first is None else itertools.chain([first], batches)))
    return pa.RecordBatchReader.from_batches(_numbers(begin, schema.names).schema, converted)


def _numbers(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    """Return batch with its bytes as lists of numbers, which are not copied."""
    columns = []
    for column in batch.columns:
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            kind = pa.list_(pa.uint8()) if pa.types.is_binary(column.type) else pa.large_list(pa.uint8())
            present, offsets, content = column.buffers()
            values = pa.Array.from_buffers(pa.uint8(), content.size if content else 0, [None, content])
            column = pa.Array.from_buffers(kind, len(column), [present, offsets], offset=column.offset, children=[values])
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=names)


def _shard(rows: int, content: bytes) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"shard": [_partition()], "rows": [rows], "content": pa.array([content], pa.binary())})


def _partition() -> int:
    return int(TaskContext.get().partitionId())


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Let errors of the command tell the partition; rows are counted from its begin.

    Other tasks run beside this one: the command takes no more cores than Spark
    has given to it, whatever the result.
    """
    os.environ.setdefault("GOMAXPROCS", str(TaskContext.get().cpus()))
    try:
        yield
    except AefeatError as error:
        told = AefeatError(f"partition {_partition()}: {error.message}", **{k: v for k, v in error.__dict__.items() if k != "message"})
        raise told from None
