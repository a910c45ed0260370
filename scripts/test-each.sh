#!/bin/sh
# Runs the Python tests on every interpreter that is found, and CPython's own where they come with it
# (Debian's python3 leaves them out). At least one must have them, unless ROUNDEL_ALLOW_NO_SUITE is set.
set -eu

# Tests that wait for real time learn nothing from another interpreter.
default=$(scripts/interpreters.sh default | cut -d' ' -f1)
found=$(scripts/interpreters.sh)
echo "$found"
suites=0
for version in $(echo "$found" | cut -d' ' -f1); do
    slow=
    [ "$version" = "$default" ] || slow="-m 'not slow'"
    PYTEST_ADDOPTS=$slow make test-python test-parity PY="$version"
    if ".venvs/$version/bin/python" -c 'import test.test_asyncio' 2>/dev/null; then
        make test-cpython PY="$version"
        suites=$((suites + 1))
    else
        echo "CPython $version came without its test suite: test-cpython was left out"
    fi
done
if [ $suites -eq 0 ] && [ -z "${ROUNDEL_ALLOW_NO_SUITE:-}" ]; then
    echo "no interpreter here has CPython's test suite; ROUNDEL_ALLOW_NO_SUITE=1 goes without" >&2
    exit 1
fi
