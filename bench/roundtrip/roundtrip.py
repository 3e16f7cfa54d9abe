"""Read with pyarrow and DuckDB what package arrowio writes; compare every value.

    pip install pyarrow duckdb
    python3 bench/roundtrip/roundtrip.py

Runs from the repository's root and needs Go.

Every form (see main.go) is written as Parquet, Arrow file and Arrow stream, in
batches of 7, 64 and 1,000 rows that are slices of longer arrays, with row
groups of one batch and of many. pyarrow must give back the values and, from
Parquet, the type. DuckDB reads the Parquet files. Output that was aborted must
be refused.
"""

import base64
import datetime
import decimal
import json
import pathlib
import subprocess
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


def plain(v):
    """A value as the JSON beside the files has it."""
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, datetime.datetime):
        return v.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat(" ") + "Z" if v.tzinfo else v.isoformat(" ")
    if isinstance(v, datetime.date):
        return v.isoformat()
    if isinstance(v, datetime.timedelta):
        return f"{v // datetime.timedelta(microseconds=1)}us"
    if isinstance(v, decimal.Decimal):
        return str(v)
    if isinstance(v, (list, tuple)):
        if v and all(isinstance(e, tuple) for e in v):  # pyarrow's map
            return [{"key": plain(k), "value": plain(x)} for k, x in v]
        return [plain(e) for e in v]
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    return v


def pyarrow_table(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.OSFile(str(path)) as source:
        reader = pa.ipc.open_file(source) if path.suffix == ".arrow" else pa.ipc.open_stream(source)
        return reader.read_all()


def from_duckdb(path, kind):
    # DuckDB needs one more package to make Python values of these.
    zoned = "tz=" in kind
    column = "strftime(v::timestamp, '%Y-%m-%d %H:%M:%SZ')" if zoned else "v"
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    rows = connection.execute(f"select row, {column} from read_parquet('{path}') order by row").fetchall()
    out = []
    for _, v in rows:
        if kind.startswith("map<") and isinstance(v, dict):
            v = list(v.items())
        # DuckDB gives a number of microseconds.
        if kind.startswith("duration") and isinstance(v, int):
            v = datetime.timedelta(microseconds=v)
        out.append(plain(v))
    return out


def main():
    failures = []

    def check(path, reader, got, want):
        if got == want:
            return
        row = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), min(len(got), len(want)))
        pair = [x[row] if row < len(x) else "(no row)" for x in (got, want)]
        failures.append(f"{path.name}: {reader}: row {row}: {pair[0]!r}, want {pair[1]!r}")

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["go", "run", *sys.argv[1:], "./bench/roundtrip", "-o", folder], check=True)
        folder = pathlib.Path(folder)
        files = 0
        for expected in sorted(folder.glob("*.json")):
            info = json.loads(expected.read_text())
            for path in sorted(folder.glob(expected.stem + ".*.*")):
                files += 1
                try:
                    table = pyarrow_table(path)
                    table.validate(full=True)
                    check(path, "pyarrow rows", table["row"].to_pylist(), list(range(len(info["values"]))))
                    column = table["v"]
                    if path.suffix == ".parquet" and str(column.type) != info["type"]:
                        failures.append(f"{path.name}: pyarrow: type {column.type}, want {info['type']}")
                    if isinstance(column.type, pa.ExtensionType):
                        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
                    check(path, "pyarrow", [plain(v) for v in column.to_pylist()], info["values"])
                    if path.suffix == ".parquet":
                        check(path, "duckdb", from_duckdb(path, info["type"]), info["values"])
                except Exception as e:  # a reader that fails is a finding too
                    failures.append(f"{path.name}: {type(e).__name__}: {e}")
        for path in sorted(folder.glob("aborted.*")):
            files += 1
            try:
                table = pyarrow_table(path)
                failures.append(f"{path.name}: read as {table.num_rows} rows, want an error")
            except (pa.ArrowException, OSError):
                pass
    for f in failures:
        print(f)
    print(f"{files} files, {len(failures)} failures")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
