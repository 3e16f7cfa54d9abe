"""Wheels and source archives, of equal bytes for equal content."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import pathlib
import tarfile
import time
import zipfile
from typing import Mapping

# The first moment that a zip file can tell.
_FIRST = 315532800


def _moment() -> int:
    return max(_FIRST, int(os.environ.get("SOURCE_DATE_EPOCH", _FIRST)))


def write_wheel(path: pathlib.Path, files: Mapping[str, bytes], record: str) -> None:
    """Write files as a wheel. record is the name of the list that it ends with.

    Files under scripts/ are executable.
    """
    lines = []
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(files.items()):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(content)}\n")
            _add(archive, name, content, 0o755 if "/scripts/" in name else 0o644)
        _add(archive, record, "".join([*lines, f"{record},,\n"]).encode(), 0o644)
    _write(path, whole.getvalue())


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name, time.gmtime(_moment())[:6])
    entry.create_system = 3  # Unix, on whatever it is made
    entry.external_attr = (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, compresslevel=9)


def write_sdist(path: pathlib.Path, files: Mapping[str, bytes]) -> None:
    """Write files as a tar archive, below a folder of its name."""
    folder = path.name[: -len(".tar.gz")]
    whole = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, whole, mtime=_moment()) as packed, tarfile.open(
        fileobj=packed, mode="w", format=tarfile.PAX_FORMAT
    ) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), _moment(), 0o644
            archive.addfile(entry, io.BytesIO(content))
    _write(path, whole.getvalue())


def _write(path: pathlib.Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
