"""What others write, aefeat reads; what it writes, others read: the matrix of RESULTS.md.

    python3 bench/interop/run.py ./aefeat [--only WRITER,...] [--readers READER,...]
        [--environments DIR] [--work DIR] [--details] [--from STEP]

Makes the environments with venv and pip, from the versions pinned in
requirements/, unless they are there; takes 4 GB and the network then, and Java
for Spark. Every case of writers.py is written, read by fit and transform, and
the output read by every reader of readers.py. Three things are asserted:

  - fit and transform need no flag, but for the name of a column where two could
    be the patch, and equal pixels give equal codes, as every reader sees them;
  - every other column is what the same reader sees in the input: name, type,
    values, index, keys of the file. Where an input is of one format and the
    output of another, it is what that reader sees in a file of that format that
    the writer itself has made;
  - a difference is one of differences.py, and each of these is still needed.

Prints Markdown, and on standard error what fails. The status is 1 if a
combination failed.
"""
import argparse
import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import sys

import differences

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENTS = {  # and the tools in them
    "main": ["pyarrow", "pandas", "polars", "duckdb", "datasets", "ray", "fastparquet"],
    "daft": ["daft"],
    "spark35": ["spark35"],
    "spark4": ["spark4"],
}
WRITERS = ["pyarrow", "pandas", "polars", "duckdb", "spark35", "spark4", "datasets", "ray", "daft", "fastparquet"]
READERS = ["pyarrow", "pandas", "pandas_pyarrow", "polars", "duckdb", "spark35", "spark4", "datasets", "ray", "daft", "fastparquet"]
SHOWN = {"pandas_pyarrow": "pandas, pyarrow dtypes", "spark35": "Spark 3.5", "spark4": "Spark 4", "duckdb": "DuckDB", "datasets": "HF datasets", "ray": "Ray", "daft": "Daft"}
STEPS = ["write", "learn", "read", "judge"]
UNITS = 8
ENV = os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}  # the files are small
CODE = re.compile(r"\bcode_\d+\b")
# The keys whose values list the columns: what they say is seen by their
# readers.
LISTING = {"pandas", "huggingface", "org.apache.spark.sql.parquet.row.metadata", "parquet.avro.schema", "iceberg.schema", "geo"}


def environment(folder, name):
    """The Python of an environment, which is made if it is not there."""
    home = folder / name
    wanted = (HERE / "requirements" / f"{name}.txt").read_text()
    made = home / "made"
    if not made.exists() or made.read_text() != wanted:
        say(f"making the environment {home}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", "--requirement", HERE / "requirements" / f"{name}.txt"], check=True)
        made.write_text(wanted)
    return home / "bin" / "python"


def say(line):
    print(line, file=sys.stderr, flush=True)


@dataclasses.dataclass
class Case:
    """A file that a writer made, and an output of it."""

    name: str  # TOOL/NAME
    source: str  # the path of the input
    pixels: str
    flags: list
    output: str  # the path
    twin: str  # what the writer made in the output's format

    @property
    def tool(self):
        return self.name.split("/")[0]

    @property
    def label(self):
        return f"{self.name}{pathlib.Path(self.source).suffix or '/'} to {pathlib.Path(self.output).suffix}"


def write(pythons, work, tools):
    """Has the writers write; the cases that they list, with what failed."""
    cases, failed = [], []
    for tool in tools:
        say(f"writing: {tool}")
        done = subprocess.run([pythons[tool], HERE / "writers.py", work / "cases", tool], capture_output=True, text=True, env=ENV)
        if done.returncode:
            sys.exit(f"the writer {tool}: {done.stderr[-3000:]}")
        for line in done.stdout.splitlines():
            one = json.loads(line)
            if "error" in one:
                failed.append((f"{one['case']}{one['format'] or '/'}", f"not written: {one['error']}"))
                continue
            stem = work / "cases" / one["case"]
            for suffix in (f for f in one["formats"] if os.path.exists(f"{stem}{f}")):
                for to in one["formats"] if "types" in one["case"] else [suffix]:
                    to = to or ".parquet"
                    source, twin = f"{stem}{suffix}", f"{stem}{to}"
                    if suffix == "" and to != ".parquet":
                        continue
                    output = work / "outputs" / f"{one['case']}-{suffix.strip('.') or 'folder'}{to}"
                    cases.append(Case(one["case"], source, one["pixels"], one["flags"], str(output), twin if os.path.exists(twin) else source))
    unique = {c.output: c for c in cases}
    return list(unique.values()), failed


def learn(aefeat, cases):
    """Runs the command on every case; what it says where it fails."""
    failed = []
    models = {}  # by the source that they were fitted to
    for c in cases:
        pathlib.Path(c.output).parent.mkdir(parents=True, exist_ok=True)
        model = c.output + ".safetensors"
        words = ""
        if c.source not in models:
            models[c.source] = model
            words = run(aefeat, "fit", "--hidden", UNITS, "--seed", 1, *c.flags, "-o", model, c.source)
        if not words:
            words = transform(aefeat, c, fitted(c, cases, models))
        if words:
            failed.append((c.label, c.output, words))
    return failed


def fitted(case, cases, models):
    """The models that have to give the case the codes of its pixels. The rows of
    a folder come in another order, from which another model is learned: so
    those of the same pixels in a file are taken."""
    if not os.path.isdir(case.source):
        return [models[case.source]]
    like = [c for c in cases if c.pixels == case.pixels and not os.path.isdir(c.source) and c.tool in (case.tool, "pyarrow")]
    like.sort(key=lambda c: (c.source != case.twin, "/base_" not in c.source, c.tool != case.tool))
    return [models[c.source] for c in like if c.source in models]


def transform(aefeat, case, models):
    """Transforms with the first model that is of such pixels; what is said where none is."""
    words = "no model to transform with"
    for model in models:
        words = run(aefeat, "transform", "-m", model, "-o", case.output, case.source)
        if not words:
            break
    return words


def run(aefeat, *arguments):
    """What a command says where it fails, else nothing."""
    done = subprocess.run([aefeat, *map(str, arguments)], capture_output=True, text=True)
    return f"{arguments[0]}: {done.stderr.strip()}" if done.returncode else ""


def read(pythons, work, readers, cases):
    """Has every reader read every file."""
    paths = sorted({p for c in cases for p in (c.source, c.twin, c.output) if os.path.exists(p)})
    (work / "readings").mkdir(exist_ok=True)
    for name in readers:
        say(f"reading: {name}")
        tool = name.split("_")[0]
        with open(work / "readings" / f"{name}.json", "w") as out:
            done = subprocess.run([pythons[tool], HERE / "readers.py", name], input="\n".join(paths), stdout=out, stderr=subprocess.PIPE, text=True, env=ENV)
        if done.returncode:
            sys.exit(f"the reader {name}: {done.stderr[-3000:]}")


def readings(work, readers):
    """What every reader sees in every file: by reader, then path."""
    seen = {}
    for name in readers:
        with open(work / "readings" / f"{name}.json") as lines:
            seen[name] = {r["path"]: r for r in map(json.loads, lines)}
    return seen


def by_id(columns):
    """Columns by name, rows in the order of the ids: readers of folders have other orders."""
    names = collections.Counter(n for n, _, _ in columns)
    ids = next((v for n, _, v in columns if n == "id"), None)
    order = sorted(range(len(ids)), key=lambda i: float(ids[i])) if ids else None
    count = collections.Counter()
    out = {}
    for name, typ, values in columns:
        count[name] += 1
        if names[name] > 1:
            name = f"{name} #{count[name]}"
        out[name] = typ, [values[i] for i in order] if order and len(order) == len(values) else values
    return out


def single(values):
    """Numbers as float32 has them: DuckDB shows the shortest decimals that stand for them."""
    return [struct.unpack("f", struct.pack("f", float(v)))[0] if v != "None" else None for v in values]


def plain(typ):
    """A type of Arrow without what one format has and another has not."""
    return re.sub(r"large_|_view", "", typ)


def compare(case, before, after, codes):
    """What a reader sees that it should not: pairs of a column, or a key, and words."""
    if after is None:
        return []
    wrong = []
    folder = os.path.isdir(case.source)
    same = pathlib.Path(case.source).suffix == pathlib.Path(case.output).suffix
    whole = "error" not in after
    if not whole and before and "error" not in before:
        wrong.append(("", f"not read: {after['error']}"))
    now = by_id(after["columns"])
    if whole:
        mine = {CODE.search(n).group(): v for n, v in now.items() if CODE.search(n)}
        if len(mine) != UNITS:
            wrong.append(("code", f"{len(mine)} columns of {UNITS}"))
        for name, (_, values) in mine.items():
            if codes is not None and single(values) != codes[name]:
                wrong.append((name, "codes are others than those of equal pixels"))
                break
    if before is None or not before["columns"]:
        return wrong
    was = by_id(before["columns"])
    for name, (typ, values) in was.items():
        if name not in now:
            wrong.append((name, "missing"))
        elif now[name][0] != typ and (same or plain(now[name][0]) != plain(typ)):
            wrong.append((name, f"{typ} became {now[name][0]}"))
        elif now[name][1] != values:
            i = next((i for i, (a, b) in enumerate(zip(values, now[name][1])) if a != b), -1)
            wrong.append((name, f"{typ}: row {i}: {values[i][:80]} became {now[name][1][i][:80]}"))
    for name in now if not folder else ():  # whose keys not every reader sees
        if name not in was and not CODE.search(name) and "error" not in before:
            wrong.append((name, "new"))
    if whole and same and "error" not in before:
        old, new = before["more"], after["more"]
        for key in sorted(set(old) | set(new)):
            if key not in LISTING and not key.startswith("aefeat") and old.get(key) != new.get(key):
                wrong.append((f"key {key}", f"{str(old.get(key))[:200]} became {str(new.get(key))[:200]}"))
    return wrong


def judge(cases, seen, broken):
    """For every case and reader: ok, the differences by number, FAILED with words, or nothing where it does not read such files."""
    bases = {}
    for c in cases:
        if c.name.startswith("pyarrow/base_") and c.output.endswith("-parquet.parquet"):
            reading = seen.get("pyarrow", {}).get(c.output)
            if reading and "error" not in reading:
                bases[c.pixels] = {n: single(v) for n, (_, v) in by_id(reading["columns"]).items() if CODE.search(n)}
    cells, used = {}, set()
    for c in cases:
        for name, readings in seen.items():
            if c.output in broken:
                cells[c.output, name] = "FAILED", []
                continue
            before, after = readings.get(c.source if os.path.isdir(c.source) else c.twin), readings.get(c.output)
            if os.path.isdir(c.source) and (before is None or "error" in before):
                before = readings.get(c.twin)
            if after is None or "error" in after and not after["columns"] and (before is None or not before["columns"]):
                cells[c.output, name] = "-", []
                continue
            known, unknown = set(), []
            for column, words in compare(c, before, after, bases.get(c.pixels)):
                number = differences.find(c.name, c.source, c.output, name, column, words)
                if number:
                    known.add(number)
                else:
                    unknown.append((column, words))
            used |= known
            cells[c.output, name] = ("FAILED", unknown) if unknown else (", ".join(sorted(known, key=str)) or "ok", [])
    return cells, used


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def summary(cases, cells, readers):
    """A row for a writer: how many of its combinations are ok, of how many."""
    rows = []
    for tool in WRITERS:
        own = [c for c in cases if c.tool == tool]
        if not own:
            continue
        row = [SHOWN.get(tool, tool), str(len({c.name for c in own}))]
        for name in readers:
            cell = [cells[c.output, name][0] for c in own]
            n = collections.Counter("FAILED" if v == "FAILED" else "-" if v == "-" else "ok" if v == "ok" else "differs" for v in cell)
            text = f"{n['ok']}" + (f" + {n['differs']}" if n["differs"] else "") + (f", {n['FAILED']} failed" if n["FAILED"] else "")
            row.append(text)
        rows.append(row)
    table(["written by", "cases"] + [SHOWN.get(r, r) for r in readers], rows)


def main():
    parse = argparse.ArgumentParser(usage=__doc__)
    parse.add_argument("aefeat", type=pathlib.Path)
    parse.add_argument("--only", default=",".join(WRITERS))
    parse.add_argument("--readers", default=",".join(READERS))
    parse.add_argument("--environments", type=pathlib.Path, default=pathlib.Path.home() / ".cache" / "aefeat-interop")
    parse.add_argument("--work", type=pathlib.Path, default=None, help="where files go; kept")
    parse.add_argument("--details", action="store_true", help="a row for every case")
    parse.add_argument("--from", dest="first", choices=STEPS, default="write", help="begin with this step, and what an earlier run left in --work")
    args = parse.parse_args()
    work = (args.work or args.environments / "work").resolve()
    work.mkdir(parents=True, exist_ok=True)
    writers, readers = args.only.split(","), args.readers.split(",")
    needed = {t.split("_")[0] for t in writers + readers}
    pythons = {t: environment(args.environments.resolve(), e) for e, tools in ENVIRONMENTS.items() for t in tools if t in needed}
    steps, kept = STEPS[STEPS.index(args.first):], work / "cases.json"
    if "write" in steps:
        subprocess.run(["rm", "-rf", work / "cases"], check=True)
        cases, unwritten = write(pythons, work, writers)
        kept.write_text(json.dumps([[dataclasses.asdict(c) for c in cases], unwritten]))
    cases, unwritten = json.loads(kept.read_text())
    cases = [c for c in (Case(**c) for c in cases) if c.tool in writers]
    if "learn" in steps:
        subprocess.run(["rm", "-rf", work / "outputs"], check=True)
        say(f"{len(cases)} conversions")
        failures = learn(args.aefeat.resolve(), cases)
        (work / "failures.json").write_text(json.dumps(failures))
    failures = json.loads((work / "failures.json").read_text())
    if "read" in steps:
        read(pythons, work, readers, cases)
    seen = readings(work, readers)
    cells, used = judge(cases, seen, {output for _, output, _ in failures})
    summary(cases, cells, readers)
    if args.details:
        table(["file"] + readers, [[c.label] + [cells[c.output, r][0] for r in readers] for c in cases])
    for d in differences.ALL:
        if d.says:
            print(f"{d.number}. {d.says}")
    for name, words in unwritten:
        say(f"FAILED {name}: {words}")
    for label, _, words in failures:
        say(f"FAILED {label}: {words}")
    bad = len(unwritten) + len(failures)
    for (output, name), (cell, unknown) in cells.items():
        if unknown:
            bad += 1
            label = next(c.label for c in cases if c.output == output)
            for column, words in unknown:
                say(f"FAILED {label}, {name}: {column}: {words}")
    if len(writers) == len(WRITERS) and len(readers) == len(READERS):
        for d in differences.ALL:
            if d.number not in used:
                say(f"FAILED difference {d.number} was not seen: {d.says}")
                bad += 1
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
