"""The differences that are known: the list of docs/interop.md."""
import dataclasses
import fnmatch
import re


@dataclasses.dataclass
class Difference:
    number: str
    says: str
    cases: str = "*"  # TOOL/NAME with the ending of the input, a pattern
    to: str = "*"  # the ending of the output, a pattern
    readers: str = ".*"  # a regular expression
    columns: str = ".*"  # a regular expression
    words: str = ".*"  # a regular expression, of what is told


ALL = [
    Difference(
        "1", "Types that differ from others in memory alone: views become strings, binaries and lists; decimals of 32 and 64 bits those of 128; "
        "date64 becomes date32; in Parquet, indexes of dictionaries become int32, unless polars needs theirs.",
        readers="pyarrow|pandas_pyarrow|polars|datasets",
        words=r".*(_view|decimal(32|64)|date64|Datetime\(time_unit='ms', time_zone=None\)|indices=u?int(8|16)).* became .*"),
    Difference(
        "2", "In an IPC file, categories (dictionaries) become their values, since such a file has one dictionary for all batches. They stay in streams and in Parquet.",
        to=".arrow", words=r".*(dictionary<|Categorical|Enum|category).* became .*"),
    Difference(
        "3", "INT96 becomes a timestamp without a zone: of nanoseconds, but of microseconds where Spark wrote the file. Spark reads no nanoseconds.",
        columns="time|moment", cases="*/*.parquet", words=r"(Datetime|TIMESTAMP|[Tt]imestamp|datetime64).* became .*|.*Timestamp.*"),
    Difference("3", "", cases="pyarrow/int96.parquet", readers="spark.*", words="missing|not read: .*NANOS.*"),
    Difference("3", "", cases="fastparquet/json.parquet", readers="spark.*", words="missing|not read: .*NANOS.*"),
    Difference("4", "Integers of 128 bits, which polars alone has, become their 16 bytes.", cases="polars/*int128*", columns="wide"),
    Difference(
        "5", "Keys in the names of folders become int64 or text. Others make them int32, dates or categories.",
        cases="*/*/", columns="label|word|day", words=r"(int32|category|dictionary|Date|DATE|date|bigint|int|list).* became .*"),
    Difference(
        "6", "VARIANT, GEOMETRY and JSON columns of Parquet name the extension type of Arrow besides.",
        readers="pyarrow|pandas_pyarrow|polars|daft", words=r".* became .*(ARROW:extension:name|Extension[(\[]).*"),
    Difference(
        "7", "A struct that is null in Parquet has null fields in an IPC file, so that pandas makes floats of their integers.",
        cases="*.parquet", to=".arrow", readers="pandas", columns="row"),
    Difference(
        "8", "fastparquet as a reader guesses types from encodings, statistics and old annotations: integers of other widths or nullable ones, texts as objects, "
        "times as integers. It misreads lists of polars and pages of version 2 of Spark, and reads the output right.",
        readers="fastparquet", words=r"(u?int|object|str|float64|timedelta64).* became .*"),
    Difference(
        "9", "fastparquet does not read an output with columns of two levels, or with durations.",
        cases="pandas/*.parquet", readers="fastparquet", words="missing|not read: (TypeError: value should be a 'Timedelta'|ValueError: malformed node).*"),
]


def find(case, source, output, reader, column, words):
    """The number of a difference that is known, else None."""
    name = case + ("." + source.rsplit(".", 1)[1] if "." in source.rsplit("/", 1)[1] else "/")
    for d in ALL:
        if (fnmatch.fnmatch(name, d.cases) and fnmatch.fnmatch(output, "*" + d.to) and re.fullmatch(d.readers, reader)
                and re.fullmatch(d.columns, column, re.S) and re.fullmatch(d.words, words, re.S)):
            return d.number
    return None
