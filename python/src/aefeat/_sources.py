"""Rows as people have them, as Arrow record batches."""

from __future__ import annotations

import itertools
import os
from typing import Any, Iterator

import numpy as np
import pyarrow as pa

BATCH_ROWS = 1024
COLUMN = "patch"


def reader(data: Any) -> pa.RecordBatchReader:
    """Return data as a reader of record batches.

    data is an array of numpy (m rows of n values, or of height, width and
    channels), a frame of pandas or polars, a relation of DuckDB, a table, batch,
    reader, dataset or scanner of pyarrow, any object with ``__arrow_c_stream__``,
    or an iterable of record batches. It is read batch by batch. An array becomes a
    column "patch" of fixed-size lists.

    Raises:
        TypeError: data hold no rows, or values that are no numbers.
        ValueError: an array of one dimension, or no batch and so no schema.

    >>> import aefeat, numpy as np
    >>> aefeat.reader(np.zeros((5000, 28, 28), np.uint8)).read_next_batch().num_rows
    1024
    """
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(data.schema, [data])
    if isinstance(data, np.ndarray):
        return _of_array(data)
    kind = type(data).__module__
    if kind.startswith("scipy.sparse") or hasattr(data, "tocsr"):
        raise TypeError("sparse data was passed, and dense data is needed: its method toarray makes an array of it")
    if kind.startswith("pandas") and hasattr(data, "iloc"):
        return _of_pandas(data)
    if kind == "pyarrow._dataset" and hasattr(data, "get_fragments"):
        return _of_dataset(data)
    for method in ("to_arrow_reader", "fetch_record_batch"):  # relations of DuckDB, and those of old
        if hasattr(data, method):
            found = getattr(data, method)(BATCH_ROWS)
            assert isinstance(found, pa.RecordBatchReader)
            return found
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if hasattr(data, "to_reader"):  # scanners of pyarrow
        found = data.to_reader()
        assert isinstance(found, pa.RecordBatchReader)
        return found
    if hasattr(data, "__arrow_c_array__"):
        batch = pa.record_batch(data)
        return pa.RecordBatchReader.from_batches(batch.schema, [batch])
    if isinstance(data, (str, bytes, os.PathLike)):
        raise TypeError("a path is no data here: open it, as with pyarrow.dataset.dataset(path)")
    if hasattr(data, "__iter__") and not isinstance(data, dict):
        return _of_batches(iter(data))
    raise TypeError(f"{type(data).__name__} is nothing that holds rows: give an array, a frame or Arrow data")


def _of_dataset(data: Any) -> pa.RecordBatchReader:
    """A dataset of pyarrow, in little memory.

    A scanner decodes whole row groups of Parquet, and several ahead. Where files
    are all that there is to a dataset, they are read a batch at a time instead.
    """
    # With a filter or a projection there are no fragments to be had.
    fragments = list(data.get_fragments()) if getattr(data, "_scan_options", True) == {} else []
    plain = fragments and all(
        hasattr(fragment, "row_groups")
        and str(fragment.partition_expression) == "true"
        and fragment.physical_schema.equals(data.schema)
        for fragment in fragments
    )
    if not plain:
        found = data.scanner(batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1).to_reader()
        assert isinstance(found, pa.RecordBatchReader)
        return found

    def batches() -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet

        for fragment in fragments:
            groups = [group.id for group in fragment.row_groups]
            with fragment.open() as file:
                yield from pyarrow.parquet.ParquetFile(file, pre_buffer=False).iter_batches(BATCH_ROWS, row_groups=groups)

    return pa.RecordBatchReader.from_batches(data.schema, batches())


def _of_batches(batches: Iterator[Any]) -> pa.RecordBatchReader:
    first = next(batches, None)
    if first is None:
        raise ValueError("no record batch, and so no schema")

    def checked() -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(itertools.chain([first], batches)):
            if not isinstance(batch, pa.RecordBatch):
                raise TypeError(f"an iterable of record batches is needed, and item {number} is of type {type(batch).__name__}")
            yield batch

    if not isinstance(first, pa.RecordBatch):
        next(checked())
    return pa.RecordBatchReader.from_batches(first.schema, checked())


def _of_array(data: np.ndarray[Any, Any]) -> pa.RecordBatchReader:
    if data.ndim < 2:
        raise ValueError(f"an array of {data.ndim} dimension has no rows of values: reshape it to (rows, values)")
    width = int(np.prod(data.shape[1:]))
    kind = data.dtype
    if kind == np.bool_:
        kind = np.dtype(np.uint8)
    if kind.kind not in "iuf":
        raise TypeError(f"an array of {kind} holds no numbers that a patch may have")
    kind = kind.newbyteorder("=")
    field = pa.field(COLUMN, pa.list_(pa.from_numpy_dtype(kind), width))
    if data.ndim > 2:
        shape = "[" + ",".join(str(n) for n in data.shape[1:]) + "]"
        field = field.with_metadata(
            {"ARROW:extension:name": "arrow.fixed_shape_tensor", "ARROW:extension:metadata": '{"shape":' + shape + "}"}
        )
    schema = pa.schema([field])

    def batches() -> Iterator[pa.RecordBatch]:
        for at in range(0, len(data), BATCH_ROWS):
            part = np.ascontiguousarray(data[at : at + BATCH_ROWS], dtype=kind)
            values = pa.array(part.reshape(-1))
            yield pa.RecordBatch.from_arrays([pa.FixedSizeListArray.from_arrays(values, type=field.type)], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _of_pandas(data: Any) -> pa.RecordBatchReader:
    """A frame whose columns are the values, or one with a column of arrays."""
    schema = pa.Schema.from_pandas(data, preserve_index=False)

    def batches() -> Iterator[pa.RecordBatch]:
        for at in range(0, len(data), BATCH_ROWS):
            yield pa.RecordBatch.from_pandas(data.iloc[at : at + BATCH_ROWS], schema=schema, preserve_index=False)

    return pa.RecordBatchReader.from_batches(schema, batches())
