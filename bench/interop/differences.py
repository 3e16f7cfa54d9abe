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


ALL = []


def find(case, source, output, reader, column, words):
    """The number of a difference that is known, else None."""
    name = case + ("." + source.rsplit(".", 1)[1] if "." in source.rsplit("/", 1)[1] else "/")
    for d in ALL:
        if (fnmatch.fnmatch(name, d.cases) and fnmatch.fnmatch(output, "*" + d.to) and re.fullmatch(d.readers, reader)
                and re.fullmatch(d.columns, column, re.S) and re.fullmatch(d.words, words, re.S)):
            return d.number
    return None
