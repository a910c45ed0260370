#!/bin/sh
# Runs the Python tests on every interpreter that is found, and CPython's own where they come with it
# (Debian's python3 leaves them out). At least one must have them, unless ROUNDEL_ALLOW_NO_SUITE is set.
#
#   test-each.sh            all, as many side by side as there are cores, or JOBS; each prints when it is done
#   test-each.sh VERSION    one
set -eu

has_suite() {
    "$(scripts/interpreters.sh "$1" | cut -d' ' -f2-)" -c 'import test.test_asyncio' 2>/dev/null
}

test_one() {
    # Tests that wait for real time learn nothing from another interpreter.
    slow=
    [ "$1" = "$(scripts/interpreters.sh default | cut -d' ' -f1)" ] || slow="-m 'not slow'"
    targets="test-python test-parity test-cpython"
    if ! has_suite "$1"; then
        echo "CPython $1 came without its test suite: test-cpython is left out"
        targets="test-python test-parity"
    fi
    PYTEST_ADDOPTS=$slow make --keep-going PY="$1" $targets
}

# Tests one in silence, then prints what it said: one at a time, so that nothing is mixed.
test_aside() {
    log=build/test-$1.log
    status=passed
    "$0" "$1" >"$log" 2>&1 || status=failed
    flock build/printing sh -c 'printf "\n== CPython %s\n" "$1"; cat "$2"; echo "== CPython $1 $3"' - "$1" "$log" "$status"
    [ $status = passed ]
}

case ${1:-} in
--aside) test_aside "$2" ;;
?*) test_one "$1" ;;
*)
    found=$(scripts/interpreters.sh)
    echo "$found"
    # That with the slow tests first, so that the others are done beside it.
    default=$(scripts/interpreters.sh default | cut -d' ' -f1)
    versions="$default $(echo "$found" | cut -d' ' -f1 | grep -vx "$default" || true)"
    if ! (for version in $versions; do has_suite "$version" && exit 0; done; exit 1) &&
        [ -z "${ROUNDEL_ALLOW_NO_SUITE:-}" ]; then
        echo "no interpreter here has CPython's test suite; ROUNDEL_ALLOW_NO_SUITE=1 goes without" >&2
        exit 1
    fi
    mkdir -p build
    make .venv/.ready # which all of them need, and none may make at the same time as another
    echo "$versions" | xargs -P "${JOBS:-$(nproc)}" -n 1 "$0" --aside
    ;;
esac
