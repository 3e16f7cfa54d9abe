"""What pyproject.toml says, and the core metadata made of it."""

from __future__ import annotations

import ast
import pathlib
import re
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]  # where pyproject.toml is


class BuildError(Exception):
    """The build cannot be done here; the message says what to do."""


def read(path: pathlib.Path = ROOT / "pyproject.toml") -> dict[str, Any]:
    """Read strings and lists of strings of a TOML file, by table.

    Python has tomllib from 3.11 on only, and a build must need nothing else.
    """
    tables: dict[str, Any] = {}
    table: dict[str, Any] = {}
    text = re.sub(r"(?m)^\s*#.*$", "", path.read_text(encoding="utf-8"))
    for header, key, value in re.findall(r'(?m)^\[([\w.-]+)\]$|^([\w-]+) = ("[^"\n]*"|\[[^\]]*\])$', text):
        if header:
            table = tables[header] = {}
        else:
            table[key] = ast.literal_eval(value)
    return tables


def metadata() -> str:
    """The core metadata, version 2.4 (PEP 639)."""
    tables = read()
    project = tables["project"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        *(f"Project-URL: {name}, {url}" for name, url in tables["project.urls"].items()),
        f"License-Expression: {project['license']}",
        *(f"License-File: {name}" for name in project["license-files"]),
        f"Keywords: {','.join(project['keywords'])}",
        *(f"Classifier: {name}" for name in project["classifiers"]),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {name}" for name in project["dependencies"]),
    ]
    for extra, names in tables["project.optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {name}; extra == "{extra}"' for name in names]
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + "\n\n" + (ROOT / project["readme"]).read_text(encoding="utf-8")


def version() -> str:
    """The version of the package, and of the command in it."""
    found: str = read()["project"]["version"]
    return found
