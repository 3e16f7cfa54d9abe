"""Rows as people have them."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

import aefeat

BYTES = np.random.default_rng(0).integers(0, 256, (5000, 12), dtype=np.uint8)


def values(reader, column="patch"):
    """The rows of a column of lists as an array."""
    rows = reader.read_all()[column].combine_chunks()
    return rows.flatten().to_numpy().reshape(len(rows), -1)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">i2", ">u4", ">f4", ">f8"])
def test_types_of_arrays(dtype):
    X = (BYTES % 100).astype(dtype)
    got = values(aefeat.reader(X))
    assert got.dtype == X.dtype.newbyteorder("=")
    np.testing.assert_array_equal(got, X)


def test_bool_becomes_bytes():
    got = values(aefeat.reader(BYTES > 100))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, BYTES > 100)


@pytest.mark.parametrize(
    "X", [BYTES[::2], BYTES[:, ::-3], BYTES[::-1], np.asfortranarray(BYTES), BYTES.T, np.broadcast_to(BYTES[0], (9, 12)), BYTES[:1], BYTES[:0]]
)
def test_strides(X):
    assert len(X) == 0 or np.array_equal(values(aefeat.reader(X)), X)
    assert aefeat.reader(X).read_all().num_rows == len(X)


@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 3), (4, 3, 1)])
def test_shapes_are_kept(shape):
    sink = io.BytesIO()
    table = aefeat.reader(BYTES.reshape(-1, *shape)).read_all()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    rows = pa.ipc.open_stream(sink.getvalue()).read_all()["patch"].combine_chunks()
    assert rows.type.shape == list(shape)
    np.testing.assert_array_equal(rows.to_numpy_ndarray().reshape(-1, 12), BYTES)


@pytest.mark.parametrize(
    "data, error, message",
    [
        (BYTES[0], ValueError, "reshape"),
        (np.array(3), ValueError, "reshape"),
        (BYTES.astype(complex), TypeError, "complex128"),
        (BYTES.astype(str), TypeError, "<U"),
        (np.array([[None]]), TypeError, "object"),
        (3, TypeError, "int is nothing that holds rows"),
        (None, TypeError, "NoneType"),
        ("rows.parquet", TypeError, "path"),
        ({"a": [1]}, TypeError, "dict"),
        (iter([]), ValueError, "no schema"),
        ([[1, 2]], TypeError, "item 0 is of type list"),
    ],
)
def test_what_holds_no_rows(data, error, message):
    with pytest.raises(error, match=message):
        aefeat.reader(data)


def test_a_later_item_that_is_no_batch():
    batch = pa.record_batch({"a": [1.0]})
    with pytest.raises(TypeError, match="item 1 is of type Table"):
        aefeat.reader(iter([batch, pa.table(batch)])).read_all()


def test_sparse_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_matrix, sparse.coo_array):
        with pytest.raises(TypeError, match="toarray"):
            aefeat.reader(kind(BYTES))


TABLE = pa.table({f"x{i}": BYTES[:, i] for i in range(12)})


class Stream:
    """Nothing but the protocol."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


class Array:
    """Nothing but the protocol for one batch."""

    def __arrow_c_array__(self, requested_schema=None):
        return TABLE.combine_chunks().to_batches()[0].__arrow_c_array__(requested_schema)


def generator():
    yield from TABLE.to_batches(max_chunksize=100)


def dataset(tmp_path, **options):
    for part in range(3):
        pa.parquet.write_table(TABLE.slice(1700 * part, 1700), tmp_path / f"{part}.parquet", row_group_size=500)
    return pa.dataset.dataset(tmp_path, **options)


ARROW = {
    "table": lambda _: TABLE,
    "chunked table": lambda _: pa.Table.from_batches(TABLE.to_batches(max_chunksize=7)),
    "batch": lambda _: TABLE.combine_chunks().to_batches()[0],
    "reader": lambda _: TABLE.to_reader(),
    "generator": lambda _: generator(),
    "list": lambda _: list(generator()),
    "tuple": lambda _: tuple(generator()),
    "stream capsule": lambda _: Stream(),
    "array capsule": lambda _: Array(),
    "dataset": dataset,
    "scanner": lambda path: dataset(path).scanner(batch_size=100),
    "filtered dataset": lambda path: dataset(path).filter(pa.compute.field("x0") >= 0),
    "IPC": lambda path: pa.ipc.open_stream(ipc()),
    "pandas": lambda _: pytest.importorskip("pandas") and TABLE.to_pandas(),
    "polars": lambda _: pytest.importorskip("polars").from_arrow(TABLE),
    "duckdb": lambda _: pytest.importorskip("duckdb").from_arrow(TABLE),
}


def ipc():
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ARROW)
def test_kinds_of_data(kind, tmp_path):
    got = aefeat.reader(ARROW[kind](tmp_path)).read_all()
    assert got.column_names == TABLE.column_names
    np.testing.assert_array_equal(np.column_stack(got.columns), BYTES)


def test_a_filter_stays(tmp_path):
    rows = aefeat.reader(dataset(tmp_path).filter(pa.compute.field("x0") > 200)).read_all()
    np.testing.assert_array_equal(np.column_stack(rows.columns), BYTES[BYTES[:, 0] > 200])


def test_partitions_stay(tmp_path):
    pa.dataset.write_dataset(TABLE.append_column("key", pa.array(BYTES[:, 0] % 3)), tmp_path, format="parquet", partitioning=["key"], partitioning_flavor="hive")
    rows = aefeat.reader(pa.dataset.dataset(tmp_path, partitioning="hive")).read_all()
    assert rows.num_rows == 5000 and sorted(rows["key"].unique().to_pylist()) == [0, 1, 2]


def test_row_groups_of_a_dataset_stay(tmp_path):
    whole = dataset(tmp_path)
    fragments = [f.subset(row_group_ids=[1]) for f in whole.get_fragments()]
    part = pa.dataset.FileSystemDataset(fragments, whole.schema, whole.format, whole.filesystem)
    assert aefeat.reader(part).read_all().equals(part.to_table())


def test_batches_are_small(tmp_path):
    for data in (BYTES, TABLE.to_pandas(), dataset(tmp_path)):
        assert max(batch.num_rows for batch in aefeat.reader(data)) <= 1024
