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
    Difference("1", "Types that differ from others in memory alone become these: views, as strings, binaries and lists; decimals of 32 and 64 bits, as those of 128; "
               "date64, as date32; indexes of dictionaries in Parquet, as int32.",
               readers="pyarrow|polars", words=r".*(_view|decimal(32|64)|date64|Datetime\(time_unit='ms', time_zone=None\)|indices=).*became.*(<|string|binary|decimal128|date32|Date|dictionary).*"),
    Difference("2", "Categories (dictionaries) become their values in an IPC file, which can have only one dictionary for all batches. In streams and Parquet they stay.",
               to=".arrow", words=r"(dictionary|Categorical|Enum|category|.*List\((Categorical|Enum)|.*<element: dictionary).*became.*"),
    Difference("3", "INT96 becomes a timestamp without a zone: of nanoseconds, but of microseconds where Spark wrote the file.",
               words=r"(Datetime|TIMESTAMP|timestamp|datetime64).* became .*|.*'Timestamp.*"),
    Difference("4", "Integers of 128 bits, which polars alone has, become their 16 bytes.", cases="polars/*int128*", columns="wide"),
]


def find(case, source, output, reader, column, words):
    """The number of a difference that is known, else None."""
    name = case + ("." + source.rsplit(".", 1)[1] if "." in source.rsplit("/", 1)[1] else "/")
    for d in ALL:
        if (fnmatch.fnmatch(name, d.cases) and fnmatch.fnmatch(output, "*" + d.to) and re.fullmatch(d.readers, reader)
                and re.fullmatch(d.columns, column, re.S) and re.fullmatch(d.words, words, re.S)):
            return d.number
    return None
