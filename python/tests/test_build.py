"""Wheels are what installers expect, and the same each time."""

import base64
import email
import hashlib
import importlib.metadata
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

import aefeat

PYTHON = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PYTHON / "backend"))

import aefeat_build  # noqa: E402
from aefeat_build import command, notices, project  # noqa: E402

INSTALLED = pathlib.Path(aefeat.__file__).is_relative_to(sys.prefix)


@pytest.fixture
def quick(monkeypatch):
    """Stands for Go, which takes its time."""
    monkeypatch.setattr(command, "build", lambda target, out: out.write_bytes(b"binary of " + target.name.encode()))
    monkeypatch.setattr(notices, "text", lambda target: "notices\n")


def test_pyproject_is_read_as_toml_is():
    tomllib = pytest.importorskip("tomllib")
    whole = tomllib.loads((PYTHON / "pyproject.toml").read_text())
    found = project.read()
    for table in found:
        want = whole
        for name in table.split("."):
            want = want[name]
        assert found[table] == {k: v for k, v in want.items() if not isinstance(v, dict)}, table


@pytest.mark.parametrize("target", command.TARGETS, ids=lambda target: target.name)
def test_wheel(tmp_path, quick, target):
    name = aefeat_build.wheel(target, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    stem, tags = f"aefeat-{project.version()}", ".".join(target.tags)
    assert name == f"{stem}-py3-none-{tags}.whl"
    with zipfile.ZipFile(tmp_path / name) as wheel:
        content = {entry.filename: wheel.read(entry) for entry in wheel.infolist()}
        modes = {entry.filename: entry.external_attr >> 16 for entry in wheel.infolist()}
    binary = f"{stem}.data/scripts/{target.binary}"
    assert content[binary] == b"binary of " + target.name.encode()
    assert {n for n, mode in modes.items() if mode & 0o111} == {binary}
    assert {"aefeat/__init__.py", "aefeat/__main__.py", "aefeat/py.typed"} <= content.keys()
    assert not any("__pycache__" in n for n in content)
    about = email.message_from_bytes(content[f"{stem}.dist-info/WHEEL"])
    assert about.get_all("Tag") == [f"py3-none-{tag}" for tag in target.tags]
    meta = email.message_from_bytes(content[f"{stem}.dist-info/METADATA"])
    assert meta["Version"] == project.version()
    assert {f"{stem}.dist-info/licenses/{n}" for n in meta.get_all("License-File")} <= content.keys()
    assert any(n.startswith("pyarrow") for n in meta.get_all("Requires-Dist"))

    record = dict(line.split(",", 1) for line in content[f"{stem}.dist-info/RECORD"].decode().splitlines())
    assert record.keys() == content.keys()
    for n, said in record.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content[n]).digest()).rstrip(b"=").decode()
        assert said == ("," if n.endswith("/RECORD") else f"sha256={digest},{len(content[n])}")


def test_equal_bytes(tmp_path, quick, monkeypatch):
    for moment in ("1700000000", "0"):  # 0 is before what a zip file can tell
        monkeypatch.setenv("SOURCE_DATE_EPOCH", moment)
        found = set()
        for folder in ("first", "second"):
            (tmp_path / folder).mkdir(exist_ok=True)
            found.add((tmp_path / folder / aefeat_build.build_wheel(str(tmp_path / folder))).read_bytes())
        assert len(found) == 1


def test_metadata_is_that_of_the_wheel(tmp_path, quick):
    info = aefeat_build.prepare_metadata_for_build_wheel(str(tmp_path))
    with zipfile.ZipFile(tmp_path / aefeat_build.build_wheel(str(tmp_path))) as wheel:
        for path in (tmp_path / info).rglob("*"):
            if path.is_file():
                assert wheel.read(path.relative_to(tmp_path).as_posix()) == path.read_bytes()


def test_editable(tmp_path, quick):
    with zipfile.ZipFile(tmp_path / aefeat_build.build_editable(str(tmp_path))) as wheel:
        assert wheel.read("aefeat.pth").decode().strip() == str(PYTHON / "src")
        assert not any(n.startswith("aefeat/") for n in wheel.namelist())


def test_without_go(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(project.BuildError, match="install Go"):
        aefeat_build.build_wheel(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_without_the_go_module(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "ROOT", tmp_path / "python")
    with pytest.raises(project.BuildError, match="clone of the repository"):
        command.source()


def test_sdist_has_what_the_command_is_made_of(tmp_path):
    with tarfile.open(tmp_path / aefeat_build.build_sdist(str(tmp_path))) as sdist:
        names = {n.partition("/")[2] for n in sdist.getnames()}
    assert {"PKG-INFO", "pyproject.toml", "LICENSE", "backend/aefeat_build/__init__.py", "src/aefeat/py.typed"} <= names
    assert {"go/go.mod", "go/go.sum", "go/cmd/aefeat/main.go", "go/testdata/digits_train.parquet"} <= names
    assert {"go/cmd/aefeat/stdout_windows.go", "go/cmd/aefeat/memory_linux.go"} <= names
    assert not any(n.endswith("_test.go") for n in names)


@pytest.mark.skipif(not INSTALLED, reason="the package is not installed")
def test_the_installed_command(tmp_path):
    """The binary beside the interpreter is the command, with or without Python."""
    environment = {k: v for k, v in os.environ.items() if k != "AEFEAT_BINARY"}
    ask = [sys.executable, "-c", "import aefeat._binary; print(aefeat._binary.path())"]
    path = subprocess.run(ask, cwd=tmp_path, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    assert os.path.samefile(os.path.dirname(path), os.path.dirname(sys.executable))
    said = [
        subprocess.run([*words, "version"], cwd=tmp_path, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        for words in ([path], [sys.executable, "-m", "aefeat"])
    ]
    assert said[0] == said[1]
    assert said[0].startswith(f"aefeat version {importlib.metadata.version('aefeat')}\n")
