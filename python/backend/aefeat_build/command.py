"""The command: for which platforms it is built, and how."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import sysconfig
from typing import Any

from .project import ROOT, BuildError, version

MODULE = "github.com/aefeat/aefeat"
PACKAGE = "./cmd/aefeat"


@dataclasses.dataclass(frozen=True)
class Target:
    """A platform, as Go and as wheels call it."""

    os: str
    arch: str
    tags: tuple[str, ...]

    @property
    def binary(self) -> str:
        return "aefeat.exe" if self.os == "windows" else "aefeat"

    @property
    def name(self) -> str:
        return f"{self.os}-{self.arch}"


def _linux(machine: str) -> tuple[str, ...]:
    # The binary is static. These tags are the oldest that installers know of
    # among those that wheels are commonly built for.
    return (f"manylinux_2_17_{machine}", f"manylinux2014_{machine}", f"musllinux_1_1_{machine}")


TARGETS = (
    Target("linux", "amd64", _linux("x86_64")),
    Target("linux", "arm64", _linux("aarch64")),
    # The oldest macOS that programs of Go 1.26 run on.
    Target("darwin", "amd64", ("macosx_12_0_x86_64",)),
    Target("darwin", "arm64", ("macosx_12_0_arm64",)),
    Target("windows", "amd64", ("win_amd64",)),
    Target("windows", "arm64", ("win_arm64",)),
)


def here() -> Target:
    """The platform of the Python that runs."""
    found = sysconfig.get_platform()  # such as linux-x86_64, macosx-12.0-universal2, win-amd64
    system = {"linux": "linux", "macosx": "darwin", "win": "windows"}.get(found.split("-")[0])
    machine = found.rpartition("-")[2] if system != "darwin" else platform.machine()
    arch = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine)
    for target in TARGETS:
        if (target.os, target.arch) == (system, arch):
            return target
    # A wheel for this machine alone. The kernels are plain Go there.
    goos, goarch = _go(["env", "GOHOSTOS", "GOHOSTARCH"]).split()
    return Target(goos, goarch, (found.replace("-", "_").replace(".", "_"),))


def source() -> pathlib.Path:
    """Where the Go module is: around this folder, or in it in an sdist."""
    for folder in (ROOT.parent, ROOT / "go"):
        try:
            first = (folder / "go.mod").read_text(encoding="utf-8").split("\n", 1)[0]
        except OSError:
            continue
        if first == f"module {MODULE}":
            return folder
    raise BuildError(f"the Go module {MODULE} is not beside {ROOT}: build in a clone of the repository or from an sdist")


def build(target: Target, out: pathlib.Path) -> None:
    """Build the command for target as the file out."""
    flags = ["-trimpath", f"-ldflags=-s -w -X main.release={version()}", "-o", str(out)]
    _go(["build", *flags, PACKAGE], target)


def packages(target: Target) -> list[dict[str, Any]]:
    """All packages that the command is linked of, as go list describes them."""
    text = _go(["list", "-deps", "-json", PACKAGE], target)
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        package, end = decoder.raw_decode(text)
        found.append(package)
        text = text[end:]
    return found


def _go(arguments: list[str], target: Target | None = None) -> str:
    # What the builder's own machine can do must not get into a wheel.
    environment = {k: v for k, v in os.environ.items() if k not in ("GOAMD64", "GOARM64", "GOEXPERIMENT")}
    environment["CGO_ENABLED"] = "0"
    if target is not None:
        environment.update(GOOS=target.os, GOARCH=target.arch)
    try:
        done = subprocess.run(
            ["go", *arguments], cwd=source(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        )
    except FileNotFoundError:
        raise BuildError("Go is not on PATH: install Go 1.26 or later, or install a wheel for your platform") from None
    if done.returncode != 0:
        raise BuildError(f"go {arguments[0]} failed:\n{done.stderr}")
    return done.stdout
