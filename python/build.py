#!/usr/bin/env python3
"""Builds the wheels of all platforms, without a network.

    python3 python/build.py -o dist                  # for this machine
    python3 python/build.py --all -o dist            # for all, and the sdist
    python3 python/build.py --target linux-arm64 -o dist

Go's modules must be in its module cache (go mod download). SOURCE_DATE_EPOCH
sets the time of the files in the wheels.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "backend"))

import aefeat_build  # noqa: E402
from aefeat_build import command, project  # noqa: E402


def main() -> int:
    targets = {target.name: target for target in command.TARGETS}
    parser = argparse.ArgumentParser(description="Build wheels of aefeat.")
    parser.add_argument("-o", "--output", default="dist", metavar="FOLDER", help="where they go (default dist)")
    parser.add_argument("--target", action="append", choices=sorted(targets), help="a platform, as Go calls it; may be repeated")
    parser.add_argument("--all", action="store_true", help="all platforms, and the source archive")
    options = parser.parse_args()
    chosen = list(targets.values()) if options.all else [targets[name] for name in options.target or ()] or [command.here()]
    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        names = [aefeat_build.wheel(target, folder) for target in chosen]
        if options.all:
            names.append(aefeat_build.build_sdist(str(folder)))
    except project.BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    for name in names:
        print(f"{(folder / name).stat().st_size / 1e6:6.1f} MB  {folder / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
