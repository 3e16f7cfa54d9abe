"""Readers: what people open files with.

    python readers.py READER < PATHS > READINGS

Reads paths, one a line, and prints for each a line of JSON: the columns by
name, each with its type as the reader shows it and its values; what else the
reader knows (an index, the keys of the file); or the error. A file that cannot
be read whole is read column by column. Two readings are equal when what a user
sees is.
"""
import json
import os
import pathlib
import re
import sys
import traceback
import warnings

PARQUET, ARROW, STREAM = ".parquet", ".arrow", ".arrows"
READERS = {}  # by name: a function of a path that gives columns, and what else is known


def reader(*formats):
    def add(read):
        READERS[read.__name__.removeprefix("read_")] = read, formats
        return read

    return add


def text(v):
    """A value as text: equal for equal values of one reader."""
    import numpy as np

    if isinstance(v, dict):
        return "{" + ", ".join(f"{k!r}: {text(x)}" for k, x in v.items()) + "}"
    if isinstance(v, np.ndarray) and v.dtype == object or isinstance(v, (list, tuple)):
        return "[" + ", ".join(text(x) for x in v) + "]"
    if isinstance(v, np.ndarray):
        return f"{v.dtype}{v.shape}{v.tolist()}"
    if isinstance(v, (float, np.floating)):
        return repr(float(v))
    if hasattr(v, "getdata"):  # an image
        return f"{v.mode}{v.size}{v.tobytes().hex()}"
    return repr(v)


def folder(path, glob="**/*.parquet"):
    """The files of a folder, for readers that take no folders."""
    return sorted(str(p) for p in pathlib.Path(path).glob(glob)) if os.path.isdir(path) else [path]


def chosen(columns):
    return {} if columns is None else {"columns": columns}


def shown(typ):
    """A type of Arrow, with the elements of lists called as Parquet calls them."""
    return re.sub(r"<(item|array|l): ", "<element: ", str(typ))


def of_arrow(table):
    columns = [(f.name, shown(f.type) + (f" {f.metadata}" if f.metadata else ""), table.column(i).to_pylist()) for i, f in enumerate(table.schema)]
    return columns, {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}


@reader(PARQUET, ARROW, STREAM, "")
def read_pyarrow(path, columns=None):
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    if path.endswith(PARQUET):
        return of_arrow(pq.ParquetFile(path).read(columns))
    if path.endswith(ARROW):
        table = pa.ipc.open_file(path).read_all()
        return of_arrow(table if columns is None else table.select(columns))
    if path.endswith(STREAM):
        table = pa.ipc.open_stream(path).read_all()
        return of_arrow(table if columns is None else table.select(columns))
    return of_arrow(ds.dataset(folder(path), format="parquet", partitioning="hive").to_table(columns))


def of_pandas(frame):
    columns = [(str(c), shown(frame.dtypes.iloc[i]), frame.iloc[:, i].tolist()) for i, c in enumerate(frame.columns)]
    index = frame.index
    return columns, {
        "index": f"{type(index).__name__} {index.names} {index.dtype} {index.tolist()}", "levels": str(list(frame.columns.names)),
        "labels": str(sorted({type(c).__name__ for c in frame.columns if "code_" not in str(c)})), "attrs": str(frame.attrs)}


def pandas_read(path, columns, **options):
    import pandas as pd

    if path.endswith(ARROW):
        return of_pandas(pd.read_feather(path, columns=columns, **options))
    return of_pandas(pd.read_parquet(path if path.endswith(PARQUET) else folder(path), columns=columns, **options))


@reader(PARQUET, ARROW, "")
def read_pandas(path, columns=None):
    return pandas_read(path, columns)


@reader(PARQUET, ARROW, "")
def read_pandas_pyarrow(path, columns=None):
    return pandas_read(path, columns, dtype_backend="pyarrow")


@reader(PARQUET, ARROW, STREAM, "")
def read_polars(path, columns=None):
    import polars as pl

    if path.endswith(ARROW):
        frame = pl.read_ipc(path, columns=columns)
    elif path.endswith(STREAM):
        frame = pl.read_ipc_stream(path, columns=columns)
    else:
        frame = pl.read_parquet(folder(path), hive_partitioning=not path.endswith(PARQUET), missing_columns="insert", columns=columns)
    return [(c.name, str(c.dtype), c.to_list()) for c in frame], {}


def logical_types(db, path):
    """The logical types of the kept columns of a file, without those of times, which DuckDB's types tell, and those that say no more than the physical type."""
    rows = db.sql(f"select name, converted_type, logical_type from parquet_schema('{path}') where num_children is null and name not like 'code_%'").fetchall()
    names = {"item": "element", "array": "element"}
    types = [(names.get(n, n), t or l or "") for n, t, l in rows]
    return str([(n, t) for n, t in types if not t.upper().startswith("TIME") and t not in ("", "INT_32", "INT_64")])


@reader(PARQUET, "")
def read_duckdb(path, columns=None):
    import duckdb

    with duckdb.connect(config={"threads": 1}) as db:
        db.sql("set timezone = 'UTC'")
        names = "*" if columns is None else ", ".join('"' + c.replace('"', '""') + '"' for c in columns)
        options = "" if path.endswith(PARQUET) else ", hive_partitioning = true, union_by_name = true"
        rows = db.sql(f"select {names} from read_parquet({folder(path)}{options})")
        names, types, values = rows.columns, rows.types, rows.fetchall()
        keys = {}
        if path.endswith(PARQUET):
            keys = dict(db.sql(f"select decode(key), decode(value) from parquet_kv_metadata('{path}') where decode(key) != 'ARROW:schema'").fetchall())
            keys["logical types"] = logical_types(db, path)
        return [(c, str(t), [r[i] for r in values]) for i, (c, t) in enumerate(zip(names, types))], keys


def spark_read(path, columns):
    from pyspark.sql import SparkSession

    spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
             .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").config("spark.log.level", "OFF")
             .config("spark.ui.showConsoleProgress", "false").getOrCreate())
    frame = spark.read.parquet(path)
    if columns is not None:
        frame = frame.select(*("`" + c.replace("`", "``") + "`" for c in columns))
    rows = frame.collect()
    return [(f.name, f"{f.dataType.simpleString()} {f.metadata or ''}", [r[i] for r in rows]) for i, f in enumerate(frame.schema.fields)], {}


@reader(PARQUET, "")
def read_spark35(path, columns=None):
    return spark_read(path, columns)


@reader(PARQUET, "")
def read_spark4(path, columns=None):
    return spark_read(path, columns)


@reader(PARQUET, STREAM, "")
def read_datasets(path, columns=None):
    import tempfile

    import datasets as hf

    hf.disable_progress_bars()
    hf.logging.set_verbosity_error()
    if os.path.exists(os.path.join(path, "state.json")):
        data = hf.load_from_disk(path)
    else:
        kind = "arrow" if path.endswith(STREAM) else "parquet"
        with tempfile.TemporaryDirectory() as cache:
            more = chosen(columns) if kind == "parquet" else {}
            data = hf.load_dataset(kind, data_files={"train": folder(path)}, split="train", cache_dir=cache, keep_in_memory=True, **more)
    rows = data[:]
    return [(c, str(data.features[c]), list(rows[c])) for c in data.column_names], {}


@reader(PARQUET, "")
def read_ray(path, columns=None):
    import pyarrow as pa
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", configure_logging=False, object_store_memory=200 << 20)
        ray.data.DataContext.get_current().enable_progress_bars = False
    partitioning = None if path.endswith(PARQUET) else ray.data.datasource.Partitioning("hive")
    data = ray.data.read_parquet(folder(path), override_num_blocks=1, partitioning=partitioning, **chosen(columns)).materialize()
    table = pa.concat_tables(ray.get(data.to_arrow_refs()), promote_options="permissive")
    return [(c, shown(t), table.column(c).to_pylist()) for c, t in zip(data.schema().names, data.schema().types)], {}


@reader(PARQUET, "")
def read_daft(path, columns=None):
    import daft

    frame = daft.read_parquet(folder(path), hive_partitioning=os.path.isdir(path))
    if columns is not None:
        frame = frame.select(*columns)
    frame = frame.collect()
    values = frame.to_pydict()
    return [(f.name, str(f.dtype), values[f.name]) for f in frame.schema()], {}


@reader(PARQUET, "")
def read_fastparquet(path, columns=None):
    import fastparquet

    return of_pandas(fastparquet.ParquetFile(path if path.endswith(PARQUET) else folder(path), root=path).to_pandas(columns=columns))


def names(path):
    """The columns of a file, to read them one by one; none of what pyarrow cannot read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.endswith(PARQUET):
        return pq.read_schema(path).names
    if path.endswith(ARROW):
        return pa.ipc.open_file(path).schema.names
    if path.endswith(STREAM):
        return pa.ipc.open_stream(path).schema.names
    return []


def attempt(read, path, columns=None):
    try:
        given, more = read(path, columns)
        return [[n, t, [text(v) for v in values]] for n, t, values in given], more
    except BaseException as e:  # panics of Rust are no Exceptions
        if isinstance(e, KeyboardInterrupt):
            raise
        return None, {"error": f"{type(e).__name__}: {e}"[:600], "trace": traceback.format_exc()[-1500:]}


def reading(read, path):
    columns, more = attempt(read, path)
    if columns is not None:
        return {"columns": columns, "more": more}
    try:
        each = names(path)
    except Exception:
        each = []
    out = []
    for name in each:
        column, error = attempt(read, path, [name])
        out += column or []
        if error.get("error") == more["error"] and not out:
            break  # it is the file that cannot be read
    return {**more, "columns": out}


def main(name):
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    read, formats = READERS[name]
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries write to standard output
    for line in sys.stdin:
        path = line.rstrip("\n")
        if not path.endswith(tuple(formats)) or pathlib.Path(path).suffix not in formats:
            continue
        print(json.dumps({"path": path, **reading(read, path)}), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
