"""Makes the files that other programs wrote, which the tests read and damage: pip install pyarrow duckdb polars."""

import datetime
import decimal

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

N = 40
rng = np.random.default_rng(1)
u8 = rng.integers(0, 256, (N, 6), dtype=np.uint8)
f32 = rng.random((N, 6), dtype=np.float32)

flat = pa.table({
    "id": pa.array(np.arange(N, dtype=np.int64)),
    "label": pa.array([None if i % 7 == 3 else i % 10 for i in range(N)], pa.int32()),
    "kind": pa.array([["red", "green", None, "blue"][i % 4] for i in range(N)]).dictionary_encode(),
    "name": pa.array([None if i % 9 == 1 else f"name{i * i % 17}" for i in range(N)]),
    "ok": pa.array([None if i % 11 == 0 else bool(i & 1) for i in range(N)]),
    "time": pa.array([datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=i) for i in range(N)], pa.timestamp("us", "UTC")),
    "price": pa.array([decimal.Decimal(i) / 4 for i in range(N)], pa.decimal128(12, 2)),
    "five": pa.array([bytes(r[:5]) if i % 3 else None for i, r in enumerate(u8)], pa.binary(5)),
    "half": pa.array(f32[:, 0].astype(np.float16)),
    "double": pa.array([None if i % 13 == 0 else i / 3 for i in range(N)]),
    "small": pa.array(np.arange(N, dtype=np.uint16)),
})
nested = pa.table({
    "image": pa.FixedSizeListArray.from_arrays(pa.array(f32.ravel()), 6),
    "list": pa.array([list(map(int, r[: i % 5])) if i % 6 else None for i, r in enumerate(u8)], pa.list_(pa.uint8())),
    "large": pa.array([list(map(float, r)) for r in f32], pa.large_list(pa.float64())),
    "deep": pa.array([[list(map(int, r[:2])), [], list(map(int, r[2:4]))] if i % 4 else None for i, r in enumerate(u8)], pa.list_(pa.list_(pa.int16()))),
    "struct": pa.array([None if i % 6 == 5 else {"a": i, "pixels": list(map(int, r[:3])), "s": "x" * (i % 4)} for i, r in enumerate(u8)],
                       pa.struct([("a", pa.int32()), ("pixels", pa.list_(pa.uint8())), ("s", pa.string())])),
    "map": pa.array([[("a", 1), ("b", i)] if i % 5 else None for i in range(N)], pa.map_(pa.string(), pa.int32())),
    "structs": pa.array([[{"k": j, "v": f"v{j}"} for j in range(i % 3)] for i in range(N)], pa.list_(pa.struct([("k", pa.int64()), ("v", pa.string())]))),
})
small = {"data_page_size": 120, "write_batch_size": 8, "row_group_size": 25}
pq.write_table(flat, "pyarrow-flat-snappy.parquet", **small)
pq.write_table(flat, "pyarrow-flat-zstd.parquet", compression="zstd", data_page_version="2.0", **small)
pq.write_table(nested, "pyarrow-nested-gzip.parquet", compression="gzip", **small)
pq.write_table(nested, "pyarrow-nested-plain.parquet", compression="none", data_page_version="2.0", use_dictionary=False)
pq.write_table(flat, "pyarrow-encodings.parquet", use_dictionary=False, compression="none", column_encoding={
    "id": "DELTA_BINARY_PACKED", "label": "DELTA_BINARY_PACKED", "name": "DELTA_BYTE_ARRAY", "kind": "DELTA_LENGTH_BYTE_ARRAY",
    "ok": "RLE", "double": "BYTE_STREAM_SPLIT", "five": "BYTE_STREAM_SPLIT"})
duckdb.sql("""copy (select i id, case when i % 7 = 3 then null else i % 10 end label, [i, i * 3, 7]::utinyint[] px,
    [i, 1, 2]::float[3] image, {'a': i, 'b': ['x', null]} struct, 'n' || (i % 13) as name, [[1, 2], [i]] deep, map {'k': i} map, (i * 0.1)::float f
    from (select range::int i from range(40))) to 'duckdb-zstd.parquet' (format parquet, compression zstd)""")
both = pa.table(dict(zip(flat.column_names + nested.column_names, flat.columns + nested.columns)))
for codec in [None, "lz4", "zstd"]:
    options = pa.ipc.IpcWriteOptions(compression=codec)
    name = f"pyarrow-{codec or 'plain'}"
    with pa.OSFile(name + ".arrows", "wb") as f, pa.ipc.new_stream(f, both.schema, options=options) as w:
        w.write_table(both, max_chunksize=25)
    with pa.OSFile(name + ".arrow", "wb") as f, pa.ipc.new_file(f, both.schema, options=options) as w:
        w.write_table(both, max_chunksize=25)

# polars 1.44 and later leave out what a file's first message begins with.
# Integers of 128 bits are its own.
wide = pl.from_arrow(flat.select(["id", "label", "name", "double"])).with_columns(wide=pl.when(pl.col("id") != 5).then(pl.col("id").cast(pl.Int128) - 2**100))
wide.write_ipc("polars.arrow")
wide.write_ipc_stream("polars.arrows")
wide.write_parquet("polars.parquet")

# Categories, which polars reads by the type of their indexes.
pl.DataFrame({
    "kind": pl.Series(["a", "b"] * 20, dtype=pl.Categorical), "size": pl.Series(["S", "M"] * 20, dtype=pl.Enum(["S", "M"])),
    "kinds": pl.Series([["a"], ["b", None]] * 20, dtype=pl.List(pl.Categorical)), "sizes": pl.Series([["S"], []] * 20, dtype=pl.List(pl.Enum(["S", "M"]))),
}).write_parquet("polars-categories.parquet")

# Lists of lists without a level between, which need Java and pip install
# pyspark.
def spark_legacy():
    from pyspark.sql import SparkSession
    from pyspark.sql.types import ArrayType, IntegerType, MapType, StringType, StructField, StructType

    number, numbers = IntegerType(), ArrayType(IntegerType(), False)
    schema = StructType([
        StructField("image", ArrayType(numbers, False), False), StructField("maps", ArrayType(MapType(StringType(), number), False)),
        StructField("deep", ArrayType(ArrayType(numbers, False), False)), StructField("records", ArrayType(StructType([StructField("a", number)]), False)),
        StructField("nulls", ArrayType(ArrayType(number)))])
    rows = [([[i, 1, 2], [3, 4, i]], [{"k": i}, {}] if i % 3 else None, [[[i], []], []] if i % 4 else None, [(i,), (None,)], [[i, None], None]) for i in range(N)]
    spark = SparkSession.builder.config("spark.sql.parquet.writeLegacyFormat", "true").getOrCreate()
    spark.createDataFrame(rows, schema).coalesce(1).write.parquet("spark-legacy")  # a folder with one file

# Types that are more than what they are stored as.
def extension(typ, values):
    return pa.ExtensionArray.from_storage(typ, pa.array(values, typ.storage_type))

json = extension(pa.json_(pa.string()), [None if i % 5 == 2 else f'{{"i": {i}}}' for i in range(N)])
uuid = extension(pa.uuid(), [bytes([i] * 16) for i in range(N)])
bool8 = extension(pa.bool8(), [i % 2 for i in range(N)])
time = pa.array([i * 10**15 for i in range(N)], pa.timestamp("ns"))
offsets = pa.array([min(i, N) for i in range(N + 1)], pa.int32())
typed = pa.table({
    "id": flat["id"], "json": json, "uuid": uuid, "bool8": bool8, "time": time,
    "opaque": extension(pa.opaque(pa.int32(), "t", "v"), list(range(N))),
    "struct": pa.StructArray.from_arrays([uuid, json, time], ["uuid", "json", "time"]),
    "list": pa.ListArray.from_arrays(offsets, json), "map": pa.MapArray.from_arrays(offsets, pa.array(["k"] * N), bool8),
})
pq.write_table(typed.replace_schema_metadata({"a": "b"}), "pyarrow-types.parquet", use_deprecated_int96_timestamps=True)
duckdb.sql("""copy (select i id, ('{"i":' || i || '}')::json as json, uuid() uuid, (case when i % 2 = 0 then {'a': i}::variant else i::variant end) variant,
    ('POINT(1 ' || i || ')')::geometry geometry, [('[' || i || ']')::json] list, interval (i) day AS "interval", '01:02:03+02'::timetz "time"
    from (select range::int i from range(40))) to 'duckdb-types.parquet' (format parquet, geoparquet_version 'none', kv_metadata {a: 'b'})""")
