"""Makes the data sets of many files that the tests read, and what pyarrow makes of them: pip install pyarrow."""

import json
import os
import shutil

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

shutil.rmtree("sets", ignore_errors=True)
os.makedirs("sets")


def write(path, **columns):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    pq.write_table(pa.table(columns), path, compression="none", write_statistics=False, store_schema=False)


for i, folder in enumerate([
    "label=0/split=train", "label=10/split=a%20b", "label=-9/split=%E2%82%AC%3D1", "label=07/split=x=y%zz",
    "label=__HIVE_DEFAULT_PARTITION__/split=12", "label=9/split=__HIVE_DEFAULT_PARTITION__", "label=1/split="]):
    write(f"sets/hive/{folder}/part-0.parquet", x=pa.array([2 * i, 2 * i + 1], pa.int16()))
with open("sets/hive.json", "w") as f:
    json.dump(ds.dataset("sets/hive", partitioning="hive").to_table().to_pylist(), f)
