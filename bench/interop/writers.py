"""Writers: what people have. Each writes the rows of rows.py as its tool does.

    python writers.py FOLDER TOOL...

A case is a function of a tool. It takes the path to write, whose ending says in
which format; the formats of a case are told by its decorator. Every file holds
the pixels, as a patch in some form, and columns to keep.
"""
import dataclasses
import decimal
import json
import os
import pathlib
import sys
import traceback
import warnings

import numpy as np

from rows import *

PARQUET, ARROW, STREAM, FOLDER = ".parquet", ".arrow", ".arrows", ""


@dataclasses.dataclass
class Case:
    tool: str
    name: str
    formats: tuple  # of files that hold the same rows
    pixels: str  # bytes, unit, bits or sparse: which of rows.py
    flags: tuple  # that the command needs
    write: object = None


CASES = {}  # by name, TOOL/FUNCTION


def case(tool, *formats, pixels="bytes", flags=()):
    def add(write):
        name = write.__name__.removeprefix(tool + "_")
        CASES[f"{tool}/{name}"] = Case(tool, name, formats or (PARQUET,), pixels, flags, write)
        return write

    return add


# pyarrow


def arrow_table(image, **more):
    import pyarrow as pa

    return pa.table({"id": pa.array(IDS), "image": image, "label": pa.array(LABELS, pa.int64()), **more})


def fixed(rows=PIXELS):
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def arrow_write(table, to, **options):
    import pyarrow as pa
    import pyarrow.parquet as pq

    if to.suffix == PARQUET:
        return pq.write_table(table, to, **options)
    make = pa.ipc.new_file if to.suffix == ARROW else pa.ipc.new_stream
    rows = options.pop("rows", None)
    with make(to, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table, max_chunksize=rows)


def arrow_form(name, make, *formats, pixels="bytes"):
    """A case whose patch is what make makes of pyarrow."""

    def write(to):
        import pyarrow as pa

        arrow_write(arrow_table(make(pa)), to)

    write.__name__ = name
    case("pyarrow", *(formats or (PARQUET, ARROW)), pixels=pixels)(write)


def nested(pa, kind, rows=PIXELS):
    return pa.array(rows.reshape(ROWS, SIDE, SIDE).tolist(), kind(kind(pa.uint8())))


for name, make in {
    "fixed_size_list": lambda pa: fixed(),
    "list": lambda pa: pa.array(PIXELS.tolist(), pa.list_(pa.uint8())),
    "large_list": lambda pa: pa.array(PIXELS.tolist(), pa.large_list(pa.uint8())),
    "list_of_lists": lambda pa: nested(pa, pa.list_),
    "fixed_of_fixed": lambda pa: pa.FixedSizeListArray.from_arrays(fixed(PIXELS.reshape(-1, SIDE)), SIDE),
    "int8_pairs": lambda pa: pa.array(PIXELS.reshape(ROWS, 2, 8).tolist(), pa.large_list(pa.list_(pa.int16(), 8))),
    "binary": lambda pa: pa.array([r.tobytes() for r in PIXELS]),
    "large_binary": lambda pa: pa.array([r.tobytes() for r in PIXELS], pa.large_binary()),
    "binary_view": lambda pa: pa.array([r.tobytes() for r in PIXELS], pa.binary_view()),
    "fixed_size_binary": lambda pa: pa.array([r.tobytes() for r in PIXELS], pa.binary(WIDTH)),
    "npy": lambda pa: pa.array(npy()),
    "int64": lambda pa: fixed(PIXELS.astype(np.int64)),
    "uint16_offset": lambda pa: pa.concat_arrays([fixed(PIXELS.astype(np.int32)[:9]), fixed(PIXELS.astype(np.int32))]).slice(9),
    "decimal": lambda pa: pa.array([[decimal.Decimal(int(v)) for v in r] for r in PIXELS], pa.list_(pa.decimal128(38, 0))),
    "tensor": lambda pa: pa.FixedShapeTensorArray.from_numpy_ndarray(PIXELS.reshape(ROWS, SIDE, SIDE)),
    "tensor_permuted": lambda pa: pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.uint8(), [2, 2, 4], permutation=[2, 0, 1]), fixed()),
    "struct": lambda pa: pa.StructArray.from_arrays([fixed(), pa.array(WORDS)], ["pixels", "path"]),
}.items():
    arrow_form(name, make)
for name, make in {
    "float16": lambda pa: fixed(UNIT.astype(np.float16)),
    "float32": lambda pa: fixed(UNIT),
    "float64": lambda pa: pa.array(UNIT.tolist(), pa.list_(pa.float64())),
    "decimal_fraction": lambda pa: pa.array([[decimal.Decimal(float(v)) for v in r] for r in UNIT], pa.list_(pa.decimal128(12, 8))),
}.items():
    arrow_form(name, make, pixels="unit")
for name, rows in {"base_bytes": PIXELS, "base_unit": UNIT, "base_bits": BITS.astype(np.float32), "base_sparse": SPARSE}.items():
    arrow_form(name, lambda pa, rows=rows: fixed(rows), pixels=name.removeprefix("base_"))
for name, make in {
    "bools": lambda pa: pa.array(BITS.tolist(), pa.list_(pa.bool_())),
    "bool8": lambda pa: pa.ListArray.from_arrays(
        pa.array(range(0, ROWS * WIDTH + 1, WIDTH), pa.int32()),
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array(BITS.ravel().astype(np.int8)))),
    "bool_tensor": lambda pa: pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.bool_(), [4, 4]), fixed(BITS)),
}.items():
    arrow_form(name, make, pixels="bits")
for name, make in {
    "list_view": lambda pa: pa.array(PIXELS.tolist(), pa.list_view(pa.uint8())),
    "large_list_view": lambda pa: pa.array(PIXELS.tolist(), pa.large_list_view(pa.uint8())),
    "dictionary_of_lists": lambda pa: pa.DictionaryArray.from_arrays(pa.array(range(ROWS - 1, -1, -1), pa.int16()), fixed(PIXELS[::-1])),
}.items():
    arrow_form(name, make, ARROW, STREAM)


@case("pyarrow", PARQUET, pixels="bytes")
def pyarrow_scalars(to):
    import pyarrow as pa

    arrow_write(pa.table({"id": IDS, "name": WORDS, **{f"pixel{i}": PIXELS[:, i] for i in range(WIDTH)}}), to)


def arrow_types(pa):
    """Every type that both Parquet and IPC files have."""
    ints = {str(t): pa.array(holes(IDS) if t.bit_width > 8 else holes([i % 100 for i in IDS]), t) for t in (
        pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())}
    decimals = {f"decimal{b}": pa.array(holes(MONEY), t) for b, t in {
        32: pa.decimal32(7, 2), 64: pa.decimal64(12, 2), 128: pa.decimal128(38, 4), 256: pa.decimal256(60, 3)}.items()}
    times = {f"time_{u}": pa.array(holes([t.replace(tzinfo=None) for t in TIMES]), pa.timestamp(u)) for u in ("ms", "us", "ns")}
    zones = {f"zoned_{z}": pa.array(holes(ZONED), pa.timestamp("us", z)) for z in ("UTC", "+02:00", "Europe/Berlin")}
    return {
        **ints, **decimals, **times, **zones,
        "half": pa.array(holes([np.float16(v) for v in REALS]), pa.float16()),
        "float": pa.array(holes(REALS), pa.float32()), "double": pa.array(holes(REALS)), "bool": pa.array(holes(TRUTHS)),
        "date": pa.array(holes(DATES)), "date64": pa.array(holes(DATES), pa.date64()),
        "clock_ms": pa.array(holes([t.replace(microsecond=5000) for t in CLOCKS]), pa.time32("ms")),
        "clock_us": pa.array(holes(CLOCKS), pa.time64("us")), "clock_ns": pa.array(holes(CLOCKS), pa.time64("ns")),
        "span": pa.array(holes(SPANS), pa.duration("us")),
        "text": pa.array(holes(WORDS)), "large_text": pa.array(holes(WORDS), pa.large_string()), "text_view": pa.array(holes(WORDS), pa.string_view()),
        "blob": pa.array(holes(BLOBS)).dictionary_encode().cast(pa.binary()), "blob3": pa.array(holes(BLOBS), pa.binary(3)),
        "words": pa.array(holes(WORDS)).dictionary_encode(), "null": pa.nulls(ROWS),
        "texts": pa.array(holes([[w, None] for w in WORDS]), pa.list_(pa.string())),
        "moments": pa.array(holes([[t] for t in TIMES]), pa.large_list(pa.timestamp("us"))),
        "row": pa.array(holes(STRUCTS), pa.struct([("a", pa.int32()), ("b", pa.string())])),
        "map": pa.array(holes([[("k", i)] for i in IDS]), pa.map_(pa.string(), pa.int32())),
        "empty": pa.array([[] for _ in IDS], pa.list_(pa.string())),
        "uuid": extension(pa.uuid(), holes([u.bytes for u in UUIDS])), "json": extension(pa.json_(), holes(JSONS)),
        "bool8": extension(pa.bool8(), holes([i % 2 for i in IDS])), "opaque": extension(pa.opaque(pa.int32(), "t", "v"), holes(IDS)),
    }


def extension(typ, values):
    import pyarrow as pa

    return pa.ExtensionArray.from_storage(typ, pa.array(values, typ.storage_type))


@case("pyarrow", PARQUET, ARROW, STREAM, flags=("--column", "image"))
def pyarrow_types(to):
    import pyarrow as pa

    table = arrow_table(fixed(), **arrow_types(pa))
    fields = [f.with_metadata({"unit": "cm"}) if f.name in ("double", "id") else f for f in table.schema]
    arrow_write(table.cast(pa.schema(fields, {"made by": "hand", "äö": "ü"})), to)


@case("pyarrow", ARROW, STREAM, flags=("--column", "image"))
def pyarrow_types_of_ipc(to):
    import pyarrow as pa

    union = pa.array([i % 2 for i in IDS], pa.int8())
    arrow_write(arrow_table(
        fixed(),
        interval=pa.array(holes([pa.MonthDayNano([i, 2, 3]) for i in IDS])), view=pa.array(holes(LISTS), pa.list_view(pa.int64())),
        ree=pa.RunEndEncodedArray.from_arrays(pa.array([50, 90, ROWS], pa.int32()), pa.array(["a", None, "b"])),
        sparse=pa.UnionArray.from_sparse(union, [pa.array(IDS), pa.array(WORDS)]),
        dense=pa.UnionArray.from_dense(union, pa.array([i // 2 for i in IDS], pa.int32()), [pa.array(IDS[:100]), pa.array(WORDS[:100])]),
        ordered=pa.DictionaryArray.from_arrays(pa.array(LABELS, pa.int8()), pa.array(["S", "M", "L"]), ordered=True),
        numbers=pa.DictionaryArray.from_arrays(pa.array(LABELS, pa.uint16()), pa.array([7, 8, 9])),
        time_s=pa.array(holes(TIMES), pa.timestamp("s"), safe=False), clock_s=pa.array([i for i in IDS], pa.time32("s")),
        decimals=pa.array(holes([[m] for m in MONEY]), pa.list_(pa.decimal128(9, 2), 1)),
    ), to)


def arrow_options(name, *formats, **options):
    def write(to):
        import pyarrow as pa

        words = pa.array(holes(WORDS)).dictionary_encode()
        arrow_write(arrow_table(fixed(), words=words, real=pa.array(holes(REALS)), text=pa.array(holes(WORDS)), blob=pa.array(BLOBS, pa.binary(3)),
                                texts=pa.array(holes([[w] for w in WORDS])), time=pa.array(holes(TIMES), pa.timestamp("us"))), to, **options)

    write.__name__ = name
    case("pyarrow", *formats, flags=("--column", "image"))(write)


for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
    arrow_options(codec, PARQUET, compression=codec, row_group_size=64)
arrow_options("pages_v2", PARQUET, data_page_version="2.0", compression="zstd", data_page_size=300, write_page_checksum=True, write_page_index=True)
arrow_options("version_1", PARQUET, version="1.0", store_schema=False, use_dictionary=False)
arrow_options("int96", PARQUET, use_deprecated_int96_timestamps=True, use_compliant_nested_type=False, sorting_columns=None)
arrow_options("encodings", PARQUET, use_dictionary=False, column_encoding={
    "id": "DELTA_BINARY_PACKED", "label": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY", "real": "BYTE_STREAM_SPLIT", "blob": "BYTE_STREAM_SPLIT"})
arrow_options("ipc_lz4", ARROW, STREAM, compression="lz4", rows=70)
arrow_options("ipc_zstd", ARROW, STREAM, compression="zstd", rows=70)
arrow_options("ipc_deltas", STREAM, emit_dictionary_deltas=True, rows=70)


@case("pyarrow", FOLDER)
def pyarrow_hive(to):
    import pyarrow as pa
    import pyarrow.dataset as ds

    table = arrow_table(fixed(), word=pa.array([("a b", "c/d", None)[i] for i in LABELS]))
    parts = ds.partitioning(pa.schema([("label", pa.int64()), ("word", pa.string())]), flavor="hive")
    ds.write_dataset(table, to, format="parquet", partitioning=parts)


@case("pyarrow", FOLDER)
def pyarrow_mixed(to):
    """Files with other orders of columns, one without a column, and a README."""
    import pyarrow.parquet as pq

    to.mkdir()
    table = arrow_table(fixed())
    pq.write_table(table.slice(0, 80), to / "1.parquet")
    pq.write_table(table.slice(80, 80).select(["label", "image", "id"]), to / "2.parquet")
    pq.write_table(table.slice(160).select(["image", "id"]), to / "3.parquet")
    pq.write_table(table.slice(0, 0), to / "4.parquet")
    (to / "README.md").write_text("# Digits\n")


@case("pyarrow", PARQUET, ARROW, flags=("--column", "image"))
def pyarrow_names(to):
    """Names that are hard to say."""
    import pyarrow as pa

    names = ["", " ", "a,b", 'a"b', "a.b", "a[0]", "a\nb", "ä", "*", "image.x", "code", "ID"]
    table = arrow_table(fixed(), a=pa.array([{"b": i} for i in IDS]))
    for i, name in enumerate(names):
        table = table.append_column(name, pa.array([f"{i}.{j}" for j in IDS]))
    arrow_write(table, to)


@case("pyarrow", PARQUET)
def pyarrow_geo(to):
    """GeoParquet: its key, and well-known binary."""
    import struct

    import pyarrow as pa

    points = pa.array([struct.pack("<bIdd", 1, 1, i, -i) for i in IDS])
    geo = {"version": "1.0.0", "primary_column": "where", "columns": {"where": {"encoding": "WKB", "geometry_types": ["Point"]}}}
    arrow_write(arrow_table(fixed(), where=points).replace_schema_metadata({"geo": json.dumps(geo)}), to)


# pandas


def pandas_write(frame, to, **options):
    if to.suffix == ARROW:
        return frame.to_feather(to, **options)
    frame.to_parquet(to, **options)


def pandas_frame(**more):
    import pandas as pd

    return pd.DataFrame({"id": IDS, "image": list(PIXELS), "label": LABELS, **more})


@case("pandas", PARQUET, ARROW)
def pandas_plain(to):
    import pandas as pd

    frame = pandas_frame(
        real=holes(REALS), word=WORDS, text=holes(WORDS), truth=TRUTHS, blob=BLOBS,
        time=pd.Series(TIMES), zoned=pd.Series(ZONED).dt.tz_convert("Europe/Berlin"), nanos=pd.Series(TIMES).astype("datetime64[ns]"), span=pd.Series(SPANS),
        kind=pd.Categorical(holes(WORDS)), size=pd.Categorical(LABELS, categories=[2, 1, 0], ordered=True), money=MONEY,
        period=pd.period_range("2020-01", periods=ROWS, freq="M"), span_of=pd.interval_range(0, ROWS), small=np.arange(ROWS, dtype=np.uint8),
        half=np.arange(ROWS, dtype=np.float32), row=STRUCTS, words=[[w] for w in WORDS], date=DATES, clock=CLOCKS)
    frame.attrs = {"source": "made up"}
    pandas_write(frame, to)


@case("pandas", PARQUET, ARROW)
def pandas_nullable(to):
    import pandas as pd

    pandas_write(pandas_frame(
        count=pd.array(holes(IDS), "Int64"), small=pd.array(holes([i % 200 for i in IDS]), "UInt8"), real=pd.array(holes(REALS), "Float64"),
        half=pd.array(holes(REALS), "Float32"), truth=pd.array(holes(TRUTHS), "boolean"), text=pd.array(holes(WORDS), "string")), to)


@case("pandas", PARQUET, ARROW)
def pandas_of_pyarrow(to):
    """Columns of pandas.ArrowDtype."""
    import pandas as pd
    import pyarrow as pa

    def column(values, typ):
        return pd.Series(holes(values), dtype=pd.ArrowDtype(typ))

    frame = pd.DataFrame({
        "id": pd.Series(IDS, dtype="int64[pyarrow]"), "image": pd.Series(PIXELS.tolist(), dtype=pd.ArrowDtype(pa.list_(pa.uint8(), WIDTH))),
        "text": column(WORDS, pa.string()), "money": column(MONEY, pa.decimal128(10, 2)), "time": column(ZONED, pa.timestamp("us", "UTC")),
        "words": column([[w] for w in WORDS], pa.list_(pa.string())), "row": column(STRUCTS, pa.struct([("a", pa.int64()), ("b", pa.string())])),
        "clock": column(CLOCKS, pa.time64("us")), "span": column(SPANS, pa.duration("us")), "date": column(DATES, pa.date32())})
    pandas_write(frame, to)


@case("pandas")
def pandas_named_index(to):
    pandas_write(pandas_frame(key=[f"k{i}" for i in IDS]).set_index("key"), to)


@case("pandas")
def pandas_unnamed_index(to):
    frame = pandas_frame()
    frame.index = [f"row {i}" for i in IDS]
    pandas_write(frame, to)


@case("pandas")
def pandas_sliced_index(to):
    import pandas as pd

    frame = pandas_frame()
    frame.index = pd.RangeIndex(5, 5 + 3 * ROWS, 3, name="step")
    pandas_write(frame, to)


@case("pandas")
def pandas_multiindex(to):
    frame = pandas_frame(day=DATES, word=WORDS)
    pandas_write(frame.set_index(["day", "word"]), to)


@case("pandas")
def pandas_two_levels(to):
    """A MultiIndex of columns."""
    import pandas as pd

    frame = pandas_frame()
    frame.columns = pd.MultiIndex.from_tuples([("id", ""), ("pixels", "image"), ("target", "label")], names=["part", "column"])
    pandas_write(frame, to)


@case("pandas", flags=("--column", "1"))
def pandas_integer_names(to):
    frame = pandas_frame()
    frame.columns = [0, 1, 2]
    pandas_write(frame, to)


@case("pandas")
def pandas_wide(to):
    """A column for every pixel, named by integers."""
    import pandas as pd

    pandas_write(pd.DataFrame(PIXELS), to)


@case("pandas")
def pandas_wide_dates(to):
    """A column for every day."""
    import pandas as pd

    frame = pd.DataFrame(PIXELS, columns=pd.date_range("2020-01-01", periods=WIDTH))
    frame["word"] = WORDS
    frame.columns = [str(c) for c in frame.columns]
    pandas_write(frame, to)


@case("pandas", FOLDER)
def pandas_hive(to):
    pandas_write(pandas_frame(), to, partition_cols=["label"])


# polars


def polars_frame(image=None, **more):
    import polars as pl

    pixels = pl.Series("image", PIXELS) if image is None else image(pl)
    return pl.DataFrame({"id": IDS, "image": pixels, "label": LABELS, **more})


def polars_types(pl):
    return {
        **{str(t): pl.Series(holes([i % 100 for i in IDS]), dtype=t) for t in (
            pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)},
        "float16": pl.Series(holes(REALS), dtype=pl.Float32).cast(pl.Float16), "float32": pl.Series(holes(REALS), dtype=pl.Float32),
        "float64": pl.Series(holes(REALS)), "bool": pl.Series(holes(TRUTHS)), "text": pl.Series(holes(WORDS)), "blob": pl.Series(holes(BLOBS)),
        "date": pl.Series(holes(DATES)), "clock": pl.Series(holes(CLOCKS)), "null": pl.Series([None] * ROWS),
        **{f"time_{u}": pl.Series(holes(TIMES), dtype=pl.Datetime(u)) for u in ("ms", "us", "ns")},
        **{f"span_{u}": pl.Series(holes(SPANS), dtype=pl.Duration(u)) for u in ("ms", "us", "ns")},
        "zoned": pl.Series(holes(ZONED), dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone("Europe/Berlin"),
        "money": pl.Series(holes(MONEY), dtype=pl.Decimal(20, 2)), "kind": pl.Series(holes(WORDS), dtype=pl.Categorical),
        "size": pl.Series(holes([("S", "M", "L")[i] for i in LABELS]), dtype=pl.Enum(["S", "M", "L"])),
        "words": pl.Series([[w, None] for w in WORDS]), "pair": pl.Series([[w, w] for w in WORDS], dtype=pl.Array(pl.String, 2)),
        "row": pl.Series(holes(STRUCTS)), "kinds": pl.Series([[w] for w in WORDS], dtype=pl.List(pl.Categorical)),
    }


def polars_write(frame, to, **options):
    write = {PARQUET: "parquet", ARROW: "ipc", STREAM: "ipc_stream"}[to.suffix]
    getattr(frame, "write_" + write)(to, **options)


def polars_case(name, frame, *formats, pixels="bytes", flags=(), **options):
    def write(to):
        import polars as pl

        warnings.simplefilter("ignore")
        more = {k: v(pl) if callable(v) else v for k, v in options.items()}
        polars_write(frame(pl), to, **more)

    write.__name__ = name
    case("polars", *(formats or (PARQUET, ARROW)), pixels=pixels, flags=flags)(write)


def polars_wide(pl, typ):
    return polars_frame(wide=pl.Series(holes([i % 100 for i in IDS])).cast(typ))


IMAGE = ("--column", "image")
polars_case("array", lambda pl: polars_frame(), PARQUET, ARROW, STREAM)
polars_case("array_of_arrays", lambda pl: polars_frame(lambda pl: pl.Series("image", PIXELS.reshape(ROWS, SIDE, SIDE))))
polars_case("list", lambda pl: polars_frame(lambda pl: pl.Series("image", PIXELS.tolist(), dtype=pl.List(pl.UInt8))))
polars_case("list_of_lists", lambda pl: polars_frame(lambda pl: pl.Series("image", PIXELS.reshape(ROWS, SIDE, SIDE).tolist(), dtype=pl.List(pl.List(pl.UInt8)))))
polars_case("int64", lambda pl: polars_frame(lambda pl: pl.Series("image", PIXELS.astype(np.int64))))
polars_case("decimal", lambda pl: polars_frame(lambda pl: pl.Series("image", PIXELS.tolist(), dtype=pl.List(pl.Int64)).cast(pl.List(pl.Decimal(38, 0)))))
polars_case("binary", lambda pl: polars_frame(lambda pl: pl.Series("image", [r.tobytes() for r in PIXELS])))
polars_case("float16", lambda pl: polars_frame(lambda pl: pl.Series("image", UNIT).cast(pl.Array(pl.Float16, WIDTH))), pixels="unit")
polars_case("bools", lambda pl: polars_frame(lambda pl: pl.Series("image", BITS)), pixels="bits")
polars_case("struct", lambda pl: pl.DataFrame({"id": IDS, "img": pl.DataFrame({"pixels": PIXELS, "path": WORDS}).to_struct("img")}))
polars_case("scalars", lambda pl: pl.DataFrame({"word": WORDS, **{f"px_{i}": PIXELS[:, i] for i in range(WIDTH)}}))
polars_case("types", lambda pl: polars_frame(**polars_types(pl)), PARQUET, ARROW, STREAM, flags=IMAGE)
polars_case("types_oldest", lambda pl: polars_frame(**polars_types(pl)), ARROW, STREAM, flags=IMAGE, compat_level=lambda pl: pl.CompatLevel.oldest())
polars_case("types_newest", lambda pl: polars_frame(**polars_types(pl)), ARROW, STREAM, flags=IMAGE, compat_level=lambda pl: pl.CompatLevel.newest())
polars_case("types_lz4", lambda pl: polars_frame(**polars_types(pl)), ARROW, STREAM, flags=IMAGE, compression="lz4")
polars_case("types_zstd", lambda pl: polars_frame(**polars_types(pl)), ARROW, STREAM, flags=IMAGE, compression="zstd")
polars_case("row_groups", lambda pl: polars_frame(**polars_types(pl)), PARQUET, flags=IMAGE, row_group_size=60, compression="lz4")
polars_case("of_pyarrow", lambda pl: polars_frame(word=WORDS), PARQUET, use_pyarrow=True)
polars_case("int128", lambda pl: polars_wide(pl, pl.Int128))
polars_case("uint128", lambda pl: polars_wide(pl, pl.UInt128))


@case("polars", PARQUET, ARROW, flags=IMAGE)
def polars_sink(to):
    import polars as pl

    frame = polars_frame(**polars_types(pl)).lazy()
    (frame.sink_parquet if to.suffix == PARQUET else frame.sink_ipc)(to)


@case("polars", FOLDER)
def polars_hive(to):
    polars_frame(word=WORDS).write_parquet(str(to) + "/", partition_by=["label"], mkdir=True)


# DuckDB


def duckdb_copy(to, query, options="", pixels=PIXELS):
    """Copies a query of the table rows(id, image, label)."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as db:
        rows = arrow_table(fixed(pixels))
        db.register("given", rows)
        db.sql("create table rows as select id, image, label from given")
        db.sql(f"copy ({query}) to '{to}' (format parquet{', ' if options else ''}{options})")


DUCKDB_TYPES = """
    (id % 100)::tinyint tiny, id::smallint small, id::integer int, (id % 200)::utinyint utiny, id::usmallint usmall, id::uinteger uint, id::ubigint ubig,
    (id - 100)::hugeint huge, id::uhugeint uhuge, id / 3::float single, id / 3::double double, (id / 4)::decimal(7, 2) money, (id / 4)::decimal(38, 4) wealth,
    id % 2 = 0 truth, 'n' || id text, ('x' || id)::blob blob, id::integer::bit bits,
    date '1969-12-01' + id::integer "date", time '01:02:03.000004' + to_seconds(id) clock, '01:02:03+02'::timetz zoned_clock,
    timestamp '1969-12-31' + to_hours(id) moment, (timestamp '1969-12-31' + to_hours(id))::timestamp_s moment_s,
    (timestamp '1969-12-31' + to_hours(id))::timestamp_ms moment_ms, (timestamp '1969-12-31' + to_hours(id))::timestamp_ns moment_ns,
    (timestamp '1969-12-31' + to_hours(id))::timestamptz zoned, to_days(id::integer) + to_months(2) "interval", md5(id::text)::uuid uuid,
    ('{"i": ' || id || '}')::json json, [('[' || id || ']')::json] jsons,
    (['S', 'M', 'L'][1 + id % 3])::enum('S', 'M', 'L') size, [id, null] list, {'a': id, 'b': ['x', null]} struct, map {'k': id} map, [[1, 2], [id]] deep,
    case when id % 7 = 3 then null else id end holes, case when id % 7 = 3 then null else 'n' || (id % 5) end texts, null nothing"""

for name, options in {"v1": "parquet_version V1", "v2": "parquet_version V2", "zstd": "compression zstd, row_group_size 60", "brotli": "compression brotli, parquet_version V2", "lz4": "compression lz4_raw"}.items():
    def write(to, options=options):
        duckdb_copy(to, f"select id, image, label, {DUCKDB_TYPES} from rows", options)

    write.__name__ = name
    case("duckdb", flags=IMAGE)(write)

for name, image in {
    "array": "image::utinyint[16]", "list": "image::utinyint[]", "blob": None, "int_array": "image::integer[16]", "nested": "[image[1:8], image[9:16]]::utinyint[8][2]",
    "struct": "{'pixels': image::utinyint[16], 'path': 'x'}",
}.items():
    def write(to, image=image):
        image = image or "unhex(array_to_string(list_transform(image, lambda x: printf('%02x', x)), ''))"
        duckdb_copy(to, f"select id, {image} image, label from rows")

    write.__name__ = name
    case("duckdb")(write)


@case("duckdb", flags=IMAGE)
def duckdb_variant(to):
    duckdb_copy(to, "select id, image, label, (case when id % 2 = 0 then {'a': id}::variant else id::variant end) v, ('[' || id || ']')::json::variant w from rows")


@case("duckdb", flags=IMAGE)
def duckdb_geometry(to):
    duckdb_copy(to, "select id, image, label, ('POINT(1 ' || id || ')')::geometry place from rows", "geoparquet_version 'none'")


@case("duckdb", flags=IMAGE)
def duckdb_geoparquet(to):
    duckdb_copy(to, "select id, image, label, ('POINT(1 ' || id || ')')::geometry place from rows")


@case("duckdb")
def duckdb_keys(to):
    duckdb_copy(to, "select * from rows", "kv_metadata {author: 'me', 'a b': 'ü'}, field_ids {id: 1, image: 2, label: 3}")


@case("duckdb", FOLDER)
def duckdb_hive(to):
    duckdb_copy(to, "select *, case when id % 7 = 3 then null else ['a b', 'c=d'][1 + id % 2] end word from rows", "partition_by (label, word)")


@case("duckdb", ARROW, STREAM, flags=IMAGE)
def duckdb_arrow(to):
    """What DuckDB hands out as Arrow, with its extension types."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as db:
        db.register("given", arrow_table(fixed()))
        db.sql("set arrow_lossless_conversion = true")
        arrow_write(db.sql(f"select id, image, label, {DUCKDB_TYPES} from given").to_arrow_table(), to)


@case("duckdb", ARROW, STREAM, flags=IMAGE)
def duckdb_arrow_views(to):
    import duckdb

    with duckdb.connect(config={"threads": 1}) as db:
        db.register("given", arrow_table(fixed()))
        db.sql("set produce_arrow_string_view = true; set arrow_output_list_view = true; set arrow_output_version = '1.5'")
        arrow_write(db.sql("select id, image::utinyint[] image, 'a rather long text ' || id as text, [id, 1] list from given").to_arrow_table(), to)


# Spark; the tool is spark35 or spark4


def spark_session():
    from pyspark.sql import SparkSession

    return (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "1").config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
            .config("spark.log.level", "ERROR").config("spark.ui.showConsoleProgress", "false").config("spark.sql.timestampType", "TIMESTAMP_LTZ").config("spark.sql.timeType.enabled", "true").getOrCreate())


def spark_frame(image=None, schema="id long, image array<int>, label long"):
    rows = PIXELS.tolist() if image is None else image
    return spark_session().createDataFrame([(i, rows[i], l) for i, l in zip(IDS, LABELS)], schema)


def spark_write(frame, to, **options):
    """The folder that Spark writes, or its only file."""
    folder = to if to.suffix == FOLDER else to.with_suffix(".folder")
    frame.coalesce(1).write.options(**options).parquet(str(folder))
    if folder != to:
        part, = folder.glob("part-*.parquet")
        part.rename(to)


SPARK_TYPES = """cast(id % 100 as byte) tiny, cast(id as short) small, cast(id as int) int, cast(id / 3 as float) single, id / 3 as double,
    cast(id / 4 as decimal(7, 2)) money, cast(id / 4 as decimal(38, 4)) wealth, concat('n', id) text, cast(concat('x', id) as binary) blob, id % 2 = 0 truth,
    date_add(date'1969-12-01', cast(id as int)) date, timestamp_seconds(id * 3600 - 86400) moment, cast(timestamp_seconds(id * 3600) as timestamp_ntz) wall,
    make_dt_interval(cast(id as int), 1, 2, 3.5) span, make_ym_interval(1, 2) months, array(id, null) list, map('k', id) map,
    named_struct('a', id, 'b', array('x', null)) struct, if(id % 7 = 3, null, id) holes, if(id % 7 = 3, null, 'x') texts, array(array(1, 2), array()) deep,
    cast(concat('c', id) as varchar(9)) short_text"""


def vectors(sparse):
    from pyspark.ml.linalg import Vectors

    def vector(i, row):
        if sparse == "mixed" and i % 2 or not sparse:
            return Vectors.dense(row.tolist())
        at = np.flatnonzero(row)
        return Vectors.sparse(WIDTH, at.tolist(), row[at].tolist())

    return [vector(i, r.astype(float)) for i, r in enumerate(SPARSE)]


def spark_vectors(to, sparse):
    from pyspark.ml.linalg import VectorUDT
    from pyspark.sql.types import LongType, StructField, StructType

    schema = StructType([StructField("id", LongType()), StructField("image", VectorUDT()), StructField("label", LongType())])
    spark_write(spark_frame(vectors(sparse), schema), to)


def spark_images(to):
    """What Spark's own reader of image files gives."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for i, b in enumerate(encoded()):
            pathlib.Path(folder, f"{i:03}.png").write_bytes(b)
        spark_write(spark_session().read.format("image").load(folder).sort("image.origin"), to)


def spark_cases(tool, four):
    def add(name, write, *formats, pixels="bytes", flags=()):
        write.__name__ = name
        case(tool, *formats, pixels=pixels, flags=flags)(write)

    add("ints", lambda to: spark_write(spark_frame(), to), PARQUET, FOLDER)
    add("bytes", lambda to: spark_write(spark_frame([r.tobytes() for r in PIXELS], "id long, image binary, label long"), to))
    add("shorts", lambda to: spark_write(spark_frame(schema="id long, image array<short>, label long"), to))
    add("matrix", lambda to: spark_write(spark_frame(PIXELS.reshape(ROWS, SIDE, SIDE).tolist(), "id long, image array<array<int>>, label long"), to))
    add("decimals", lambda to: spark_write(spark_frame().selectExpr("id", "cast(image as array<decimal(38,0)>) image", "label"), to))
    add("floats", lambda to: spark_write(spark_frame(UNIT.tolist(), "id long, image array<float>, label long"), to), pixels="unit")
    add("bools", lambda to: spark_write(spark_frame(BITS.tolist(), "id long, image array<boolean>, label long"), to), pixels="bits")
    for kind in ("", "sparse", "mixed"):
        add("vectors_" + (kind or "dense"), lambda to, kind=kind: spark_vectors(to, kind), pixels="sparse")
    types = SPARK_TYPES
    if four:
        types += """, parse_json('{"a": 1, "b": [null]}') v, time'01:02:03.5' clock"""
    add("types", lambda to: spark_write(spark_frame().selectExpr("id", "image", "label", types_of(types)[0], *types_of(types)[1:]), to), flags=IMAGE)
    add("legacy", lambda to: spark_legacy(to), flags=IMAGE)
    add("zstd", lambda to: spark_write(spark_frame(), to, compression="zstd"), flags=IMAGE)
    add("pages_v2", lambda to: spark_write(spark_frame().selectExpr("*", "concat('n', id) text", "id / 3 real"), to, **{"parquet.writer.version": "v2"}))
    add("hive", lambda to: spark_write_by(to), FOLDER)
    add("image_files", spark_images)


def types_of(text):
    """The expressions of a list, which has commas in brackets, too."""
    out, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    return [e.strip() for e in out]


def spark_legacy(to):
    """As Hive and old versions read it: INT96, decimals of bytes, lists of three levels."""
    spark = spark_session()
    settings = {"spark.sql.parquet.writeLegacyFormat": "true", "spark.sql.parquet.outputTimestampType": "INT96"}
    for k, v in settings.items():
        spark.conf.set(k, v)
    types = [t for t in types_of(SPARK_TYPES) if not t.endswith((" wall", " span", " months"))]
    spark_write(spark_frame().selectExpr("id", "image", "label", *types), to)
    for k in settings:
        spark.conf.unset(k)


def spark_write_by(to):
    frame = spark_frame().selectExpr("*", "if(id % 7 = 3, null, concat('a b', id % 2)) word", "date_add(date'2020-01-01', cast(id % 2 as int)) day")
    frame.coalesce(1).write.partitionBy("label", "word", "day").parquet(str(to))


spark_cases("spark35", False)
spark_cases("spark4", True)

# Hugging Face datasets


def hugging_set(image, feature, **more):
    import datasets as hf

    features = hf.Features({"id": hf.Value("int64"), "image": feature, "label": hf.ClassLabel(names=["zero", "one", "two"]),
                            **{k: f for k, (f, _) in more.items()}})
    return hf.Dataset.from_dict({"id": IDS, "image": image, "label": LABELS, **{k: v for k, (_, v) in more.items()}}, features=features)


def hugging_write(data, to):
    if to.suffix == PARQUET:
        return data.to_parquet(to)
    if to.suffix == FOLDER:
        return data.save_to_disk(to)
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        data.save_to_disk(folder)
        part, = pathlib.Path(folder).glob("*.arrow")
        shutil.copy(part, to)


def hugging_case(name, make, *formats, pixels="bytes", flags=()):
    def write(to):
        import datasets as hf

        hf.disable_progress_bars()
        hugging_write(make(hf), to)

    write.__name__ = name
    case("datasets", *(formats or (PARQUET, STREAM)), pixels=pixels, flags=flags)(write)


hugging_case("array2d", lambda hf: hugging_set(PIXELS.reshape(ROWS, SIDE, SIDE), hf.Array2D((SIDE, SIDE), "uint8")))
hugging_case("array3d", lambda hf: hugging_set(PIXELS.reshape(ROWS, 2, 2, 4), hf.Array3D((2, 2, 4), "uint8")))
hugging_case("lists", lambda hf: hugging_set(PIXELS.tolist(), hf.List(hf.Value("uint8"))))
hugging_case("lists_of_16", lambda hf: hugging_set(PIXELS.tolist(), hf.List(hf.Value("uint8"), WIDTH)))
hugging_case("lists_of_lists", lambda hf: hugging_set(UNIT.reshape(ROWS, SIDE, SIDE).tolist(), hf.List(hf.List(hf.Value("float32")))), pixels="unit")
hugging_case("image", lambda hf: hugging_set([{"bytes": b, "path": None} for b in encoded()], hf.Image()))
hugging_case("types", lambda hf: hugging_set(
    PIXELS.tolist(), hf.LargeList(hf.Value("uint8")), text=(hf.Value("large_string"), WORDS), time=(hf.Value("timestamp[us, tz=UTC]"), ZONED),
    money=(hf.Value("decimal128(9, 2)"), MONEY), date=(hf.Value("date32"), DATES), span=(hf.Value("duration[us]"), SPANS), blob=(hf.Value("binary"), BLOBS),
    row=({"a": hf.Value("int32"), "b": hf.Value("string")}, STRUCTS), both=(hf.Translation(["en", "de"]), [{"en": w, "de": w} for w in WORDS]),
    words=(hf.List(hf.Value("string")), [[w] for w in WORDS]), truth=(hf.Value("bool"), holes(TRUTHS)), half=(hf.Value("float16"), [np.float16(v) for v in REALS])), flags=IMAGE)


@case("datasets", FOLDER)
def datasets_shards(to):
    """A folder of three shards, with its two files of JSON."""
    import datasets as hf

    hf.disable_progress_bars()
    hugging_set(PIXELS.tolist(), hf.List(hf.Value("uint8"), WIDTH)).save_to_disk(to, num_shards=3)


# Ray


def ray_start():
    import os

    import ray

    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    if not ray.is_initialized():
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", configure_logging=False, object_store_memory=200 << 20)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def ray_write(data, to):
    """The folder that Ray writes, or its only file."""
    folder = to if to.suffix == FOLDER else to.with_suffix(".folder")
    data.repartition(1).write_parquet(str(folder))
    if folder != to:
        part, = folder.glob("*.parquet")
        part.rename(to)


@case("ray", PARQUET)
def ray_tensors(to):
    ray_write(ray_start().data.from_items([{"id": i, "image": PIXELS[i].reshape(SIDE, SIDE), "label": LABELS[i], "word": WORDS[i]} for i in IDS]), to)


@case("ray", PARQUET)
def ray_numpy(to):
    ray_write(ray_start().data.from_numpy(PIXELS.reshape(ROWS, SIDE, SIDE)), to)


@case("ray", PARQUET)
def ray_ragged(to):
    """Tensors of unlike shapes, of which Ray keeps the shape of every row."""
    rows = [PIXELS[i].reshape((SIDE, SIDE) if i % 2 else (2, 8)) for i in IDS]
    ray_write(ray_start().data.from_items([{"id": i, "image": r} for i, r in zip(IDS, rows)]), to)


@case("ray", PARQUET)
def ray_arrow(to):
    import pyarrow as pa

    ray_write(ray_start().data.from_arrow(arrow_table(fixed(), word=pa.array(WORDS).dictionary_encode())), to)


@case("ray", PARQUET, flags=("--column", "image"))
def ray_objects(to):
    """Python objects beside the patch, pickled by Ray."""
    ray_write(ray_start().data.from_items([{"id": i, "image": PIXELS[i], "uuid": UUIDS[i], "words": [WORDS[i]]} for i in IDS]), to)


# Daft


def daft_write(frame, to):
    folder = to if to.suffix == FOLDER else to.with_suffix(".folder")
    frame.write_parquet(str(folder), partition_cols=["label"] if folder == to else None)
    if folder != to:
        part, = folder.glob("*.parquet")
        part.rename(to)


def daft_case(name, image, *formats, pixels="bytes", flags=(), more=None):
    def write(to):
        import daft

        frame = daft.from_pydict({"id": IDS, "image": image(daft), "label": LABELS, **(more or {})})
        daft_write(daft_cast(frame, name), to)

    write.__name__ = name
    case("daft", *(formats or (PARQUET,)), pixels=pixels, flags=flags)(write)


DAFT_TYPES = {
    "fixed_size_list": lambda t: t.fixed_size_list(t.uint8(), WIDTH), "tensor": lambda t: t.tensor(t.uint8()), "shaped_tensor": lambda t: t.tensor(t.uint8(), (SIDE, SIDE)),
    "embedding": lambda t: t.embedding(t.float32(), WIDTH), "image": lambda t: t.image("L"),
    "shaped_image": lambda t: t.image("L", SIDE, SIDE),
}


def daft_cast(frame, name):
    import daft

    typ = DAFT_TYPES.get(name)
    return frame.with_column("image", daft.col("image").cast(typ(daft.DataType))) if typ else frame


def squares(daft):
    return list(PIXELS.reshape(ROWS, SIDE, SIDE))


daft_case("lists", lambda daft: PIXELS.tolist(), PARQUET, FOLDER)
daft_case("fixed_size_list", lambda daft: PIXELS.tolist())
daft_case("tensor", squares)
daft_case("shaped_tensor", squares)
daft_case("embedding", lambda daft: UNIT.tolist(), pixels="unit")
daft_case("image", lambda daft: list(PIXELS.reshape(ROWS, SIDE, SIDE, 1)))
daft_case("shaped_image", lambda daft: list(PIXELS.reshape(ROWS, SIDE, SIDE, 1)))
daft_case("types", lambda daft: PIXELS.tolist(), flags=IMAGE, more={
    "text": holes(WORDS), "blob": BLOBS, "date": DATES, "clock": CLOCKS, "time": TIMES, "zoned": ZONED, "span": SPANS, "money": MONEY,
    "row": STRUCTS, "words": [[w] for w in WORDS], "null": [None] * ROWS, "truth": holes(TRUTHS)})

# fastparquet


@case("fastparquet", PARQUET, FOLDER)
def fastparquet_wide(to):
    import fastparquet
    import pandas as pd

    frame = pd.DataFrame({f"p{i}": PIXELS[:, i] for i in range(WIDTH)}).assign(
        word=pd.Series(WORDS, dtype=object), kind=pd.Categorical(WORDS), real=REALS, time=pd.Series(TIMES).astype("datetime64[ns]"), truth=TRUTHS,
        count=pd.array(holes(IDS), "Int64"), zoned=pd.Series(ZONED).astype("datetime64[ns, UTC]"))
    fastparquet.write(str(to), frame, file_scheme="hive" if to.suffix == FOLDER else "simple", row_group_offsets=[0, 90], write_index=False)


@case("fastparquet", PARQUET)
def fastparquet_bytes(to):
    import fastparquet
    import pandas as pd

    frame = pd.DataFrame({"id": IDS, "image": pd.Series([r.tobytes() for r in PIXELS], dtype=object), "text": pd.Series(WORDS, dtype=object)}).set_index("id")
    fastparquet.write(str(to), frame, object_encoding={"image": "bytes", "text": "utf8"}, compression="GZIP")


@case("fastparquet", PARQUET, flags=("--column", "p*"))
def fastparquet_json(to):
    import fastparquet
    import pandas as pd

    frame = pd.DataFrame({f"p{i}": PIXELS[:, i] for i in range(WIDTH)}).assign(row=pd.Series(STRUCTS), moment=pd.Series(TIMES).astype("datetime64[ns]"))
    fastparquet.write(str(to), frame, object_encoding={"row": "json"}, times="int96", write_index=False)


def main(folder, tools):
    """Writes the cases of the tools; prints a line of JSON for each, and for what fails."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries write to standard output
    for name, c in CASES.items():
        if c.tool not in tools:
            continue
        for suffix in c.formats:
            to = pathlib.Path(folder, c.tool, c.name + suffix)
            to.parent.mkdir(parents=True, exist_ok=True)
            try:
                c.write(to)
            except Exception as e:  # the tool's own; the report says which
                traceback.print_exc()
                print(json.dumps({"case": name, "format": suffix, "error": f"{type(e).__name__}: {e}"[:500]}), file=out, flush=True)
        print(json.dumps({"case": name, "formats": c.formats, "pixels": c.pixels, "flags": c.flags}), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
