"""The licences of what is linked into the command."""

from __future__ import annotations

import pathlib
import re
from typing import Any

from .command import Target, packages, source
from .project import BuildError

_NAMES = re.compile(r"(licen[cs]e|notice|copying|patents)(\.(md|txt))?", re.I)
_RULE = "=" * 80


def text(target: Target) -> str:
    """The licence files of Go and of all linked modules, and of the data."""
    linked = packages(target)
    goroot = next(p["Root"] for p in linked if p.get("Standard"))
    parts = [("Go, its library and runtime", _go(pathlib.Path(goroot)))]
    for module, folders in sorted(_modules(linked).items()):
        files = sorted({f for folder in folders for f in folder.iterdir() if _NAMES.fullmatch(f.name) and f.is_file()})
        if not files:
            raise BuildError(f"{module} has no licence file")
        parts.append((module, "\n\n".join(f.read_text(encoding="utf-8", errors="replace").strip() for f in files)))
    parts.append(("The digits of aefeat demo", (source() / "testdata/README.md").read_text(encoding="utf-8").strip()))
    intro = "The command aefeat is under the Apache License 2.0. It contains what follows.\n"
    return intro + "".join(f"\n{_RULE}\n{title}\n{_RULE}\n\n{body}\n" for title, body in parts)


def _go(root: pathlib.Path) -> str:
    file = root / "LICENSE"
    if not file.exists():  # distributions keep it elsewhere
        return "Copyright 2009 The Go Authors. BSD-3-Clause: https://go.dev/LICENSE"
    return file.read_text(encoding="utf-8").strip()


def _modules(linked: list[dict[str, Any]]) -> dict[str, set[pathlib.Path]]:
    """The folders of linked packages up to their module's, by module."""
    found: dict[str, set[pathlib.Path]] = {}
    for package in linked:
        module = package.get("Module")
        if module is None or module.get("Main"):
            continue
        root, folder = pathlib.Path(module["Dir"]), pathlib.Path(package["Dir"])
        folders = found.setdefault(f"{module['Path']} {module['Version']}", {root})
        while folder != root:
            folders.add(folder)
            folder = folder.parent
    return found
