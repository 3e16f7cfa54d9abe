#!/usr/bin/env bash
# Tests the Python package as people have it: builds the wheel of this machine,
# installs it in a new virtual environment with pinned versions of all else, and
# runs the tests there. Those of Spark need Java.
#
# Where there is no Python, or no package can be installed, nothing is tested,
# and a line says so.
set -euo pipefail
cd "$(dirname "$0")"

not_tested() {
	echo "NOT TESTED: the Python package: $*"
	exit 0
}

python=
for name in python3 python3.14 python3.13 python3.12 python3.11; do
	if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
		python=$name
		break
	fi
done
[ -n "$python" ] || not_tested "the tests need Python 3.11 or later with venv"

scratch=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch/venv"
pip="$scratch/venv/bin/python -m pip --disable-pip-version-check"

# One small package tells whether any can be had. From here on a failure is one.
if ! $pip install -q "$(grep '^pytest==' requirements-test.txt)" >"$scratch/log" 2>&1; then
	tail -n 5 "$scratch/log"
	not_tested "no package can be installed here"
fi

# What follows waits more than it works: begin NAME COMMAND... runs a command
# beside the others, and end NAME waits for it, and shows what it has said.
declare -A running
begin() {
	local name=$1
	shift
	"$@" >"$scratch/$name.log" 2>&1 &
	running[$name]=$!
}
end() {
	local status=0
	wait "${running[$1]}" || status=$?
	cat "$scratch/$1.log"
	return $status
}

begin wheel env GOPROXY=off $pip wheel -q --no-deps -w "$scratch/dist" .
# The two releases of scikit-learn before the one of the tests.
for release in 1.8.0 1.7.2; do
	begin "$release" $pip install -q --no-deps --target "$scratch/$release" "scikit-learn==$release"
done
$pip install -q -r requirements-test.txt
java=$(command -v java || true)
if [ -n "$java" ]; then
	$pip install -q -r requirements-spark.txt
else
	echo "NOT TESTED: aefeat.spark, which needs Java"
fi
end wheel
$pip install -q --no-deps "$scratch"/dist/*.whl

export PYTHONDONTWRITEBYTECODE=1
pytest="$scratch/venv/bin/python -m pytest -q -p no:cacheprovider"
if [ -n "$java" ]; then
	begin spark $pytest tests/test_spark.py
fi
"$scratch/venv/bin/python" -m mypy --cache-dir "$scratch/mypy"
$pytest tests --ignore tests/test_spark.py
for release in 1.8.0 1.7.2; do
	end "$release"
	PYTHONPATH=$scratch/$release $pytest tests/test_estimator.py
done
if [ -n "$java" ]; then
	end spark
fi
