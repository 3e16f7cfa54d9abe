#!/usr/bin/env bash
# Tests docs/ray.md: kills workers of Ray and the driver, and compares bytes.
#
#     bench/scale/ray.sh
#
# Ray, 80 MB, is installed in a virtual environment that is removed again.
set -euo pipefail
cd "$(dirname "$0")/../../python"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip --disable-pip-version-check install -q ray==2.60.0 $(grep -E '^(numpy|pyarrow|pytest)==' requirements-test.txt)
PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 "$scratch/venv/bin/python" -m pytest -q -p no:cacheprovider --durations=1 tests/test_ray.py
