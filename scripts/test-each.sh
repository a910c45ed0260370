#!/bin/sh
# Runs the Python tests on every interpreter that is found, and CPython's own where they come with it
# (Debian's python3 leaves them out). At least one must have them, unless ROUNDEL_ALLOW_NO_SUITE is set.
set -eu

# Tests that wait for real time learn nothing from another interpreter.
default=$(scripts/interpreters.sh default | cut -d' ' -f1)
found=$(scripts/interpreters.sh)
echo "$found"
suites=0
failed=
for version in $(echo "$found" | cut -d' ' -f1); do
    slow=
    [ "$version" = "$default" ] || slow="-m 'not slow'"
    targets="test-python test-parity test-cpython"
    if "$(echo "$found" | sed -n "s/^$version //p")" -c 'import test.test_asyncio' 2>/dev/null; then
        suites=$((suites + 1))
    else
        echo "CPython $version came without its test suite: test-cpython is left out"
        targets="test-python test-parity"
    fi
    PYTEST_ADDOPTS=$slow make --keep-going PY="$version" $targets || failed="$failed $version"
done
if [ $suites -eq 0 ] && [ -z "${ROUNDEL_ALLOW_NO_SUITE:-}" ]; then
    echo "no interpreter here has CPython's test suite; ROUNDEL_ALLOW_NO_SUITE=1 goes without" >&2
    exit 1
fi
if [ -n "$failed" ]; then
    echo "failed on CPython$failed" >&2
    exit 1
fi
