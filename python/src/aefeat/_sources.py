"""Rows as people have them, as Arrow record batches."""

from __future__ import annotations

import itertools
import sys
from typing import Any, Iterator

import numpy as np
import pyarrow as pa

BATCH_ROWS = 4096
COLUMN = "patch"


def reader(data: Any) -> pa.RecordBatchReader:
    """Return data as a reader of record batches.

    data is an array of numpy (m rows of n values, or of height, width and
    channels), a frame of pandas or polars, a relation of DuckDB, a table, batch
    or reader of pyarrow, any object with ``__arrow_c_stream__``, or an iterable of
    record batches. It is read batch by batch. An array becomes a column "patch"
    of fixed-size lists.
    """
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(data.schema, [data])
    if isinstance(data, np.ndarray):
        return _of_array(data)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _of_pandas(data)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if hasattr(data, "fetch_record_batch"):  # DuckDB before it had the protocol
        found = data.fetch_record_batch(BATCH_ROWS)
        assert isinstance(found, pa.RecordBatchReader)
        return found
    if hasattr(data, "to_batches"):  # datasets and scanners of pyarrow
        return _of_batches(iter(data.to_batches()))
    if hasattr(data, "__iter__"):
        return _of_batches(iter(data))
    raise TypeError(f"{type(data).__name__} is nothing that holds rows: give an array, a frame or Arrow data")


def _of_batches(batches: Iterator[Any]) -> pa.RecordBatchReader:
    first = next(batches, None)
    if first is None:
        raise ValueError("no record batch, and so no schema")
    if not isinstance(first, pa.RecordBatch):
        raise TypeError(f"an iterable of record batches is needed, and it yields {type(first).__name__}")
    return pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches))


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
