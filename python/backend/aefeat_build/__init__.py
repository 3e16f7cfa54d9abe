"""Builds wheels of aefeat with Go and Python's own library.

These are the hooks of PEP 517 and PEP 660 that pip calls, and wheel, which
build.py calls for each platform.

A wheel holds the package and, as a script, the static binary: an installer
puts it on PATH. It fits every Python from 3.10 on.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from typing import Any

from . import archive, command, notices, project

__all__ = ["build_editable", "build_sdist", "build_wheel", "prepare_metadata_for_build_wheel", "wheel"]

_SKIPPED = ("__pycache__", ".pyc")


def wheel(target: command.Target, folder: str | os.PathLike[str], package: dict[str, bytes] | None = None) -> str:
    """Write the wheel for target into folder, and return its name.

    package is what stands for the package, its modules if None.
    """
    stem = f"aefeat-{project.version()}"
    info = f"{stem}.dist-info"
    with tempfile.TemporaryDirectory() as scratch:
        binary = pathlib.Path(scratch) / target.binary
        command.build(target, binary)
        files = _tree("src", "aefeat", strip="src/") if package is None else dict(package)
        files[f"{stem}.data/scripts/{target.binary}"] = binary.read_bytes()
    files |= _info(info, target)
    name = f"{stem}-py3-none-{'.'.join(target.tags)}.whl"
    archive.write_wheel(pathlib.Path(folder) / name, files, f"{info}/RECORD")
    return name


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """PEP 517: the wheel for the platform of this Python."""
    return wheel(command.here(), wheel_directory)


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """PEP 660: the binary as it is now, and a path to the modules here."""
    return wheel(command.here(), wheel_directory, {"aefeat.pth": f"{project.ROOT / 'src'}\n".encode()})


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Any = None) -> str:
    """PEP 517: the metadata, without a build."""
    info = f"aefeat-{project.version()}.dist-info"
    for name, content in _info(info, command.here()).items():
        path = pathlib.Path(metadata_directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return info


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """PEP 517: this folder, and the Go files that the command is made of.

    Go's modules are not in it: a build of it has them from Go's module cache or
    proxy.
    """
    files = _tree(".", "backend", "src", "tests", strip="")
    for name in ("pyproject.toml", "README.md", "build.py", "requirements-test.txt", "requirements-spark.txt"):
        files[name] = (project.ROOT / name).read_bytes()
    files["PKG-INFO"] = project.metadata().encode()
    files["LICENSE"] = (command.source() / "LICENSE").read_bytes()
    files |= {f"go/{name}": content for name, content in _go_files().items()}
    name = f"aefeat-{project.version()}.tar.gz"
    archive.write_sdist(pathlib.Path(sdist_directory) / name, files)
    return name


def _info(info: str, target: command.Target) -> dict[str, bytes]:
    about = ["Wheel-Version: 1.0", "Generator: aefeat_build", "Root-Is-Purelib: false"]
    about += [f"Tag: py3-none-{tag}" for tag in target.tags]
    return {
        f"{info}/METADATA": project.metadata().encode(),
        f"{info}/WHEEL": ("\n".join(about) + "\n").encode(),
        f"{info}/licenses/LICENSE": (command.source() / "LICENSE").read_bytes(),
        f"{info}/licenses/THIRD-PARTY-NOTICES.txt": notices.text(target).encode(),
    }


def _tree(base: str, *folders: str, strip: str) -> dict[str, bytes]:
    """All files below folders of base, by their names without strip."""
    found = {}
    for folder in folders:
        for path in (project.ROOT / base / folder).rglob("*"):
            if path.is_file() and not any(word in str(path) for word in _SKIPPED):
                found[path.relative_to(project.ROOT).as_posix()[len(strip) :]] = path.read_bytes()
    return found


def _go_files() -> dict[str, bytes]:
    """The files of the Go module that any platform's command is made of."""
    root = command.source()
    names = {"go.mod", "go.sum", "LICENSE", "testdata/README.md"}
    kinds = ("GoFiles", "IgnoredGoFiles", "SFiles", "HFiles", "IgnoredOtherFiles", "EmbedFiles")
    for target in command.TARGETS:
        for package in command.packages(target):
            if package.get("Module", {}).get("Main"):
                folder = pathlib.Path(package["Dir"]).relative_to(root)
                names |= {(folder / name).as_posix() for kind in kinds for name in package.get(kind) or ()}
    return {name: (root / name).read_bytes() for name in names if not name.endswith("_test.go")}
