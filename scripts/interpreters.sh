#!/bin/sh
# Finds the CPythons that roundel is tested on: the first fit one of each version, looked for in
# $PYTHONS (paths, separated by spaces), on PATH, in .pythons/ and among pyenv's.
#
#   interpreters.sh            one line "VERSION PATH" each; what is missing or unfit on stderr
#   interpreters.sh VERSION    the line of that one, e.g. 3.12, or 3.14d for a debug build
#   interpreters.sh debug      the line of any debug build
#   interpreters.sh default    the line of the one to develop with
set -u

ROOT=$(cd "$(dirname "$0")/.." && pwd)
VERSIONS="3.11 3.12 3.13 3.14 3.15"
PREFERRED="3.13 3.14 3.12 3.11 3.15"

# Prints "VERSION PATH" if $1 runs and is a CPython with a GIL that can make virtual environments.
probe() {
    "$1" - 2>/dev/null <<'PYTHON'
import importlib.util, sys, sysconfig
if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
    sys.exit(2)
print("%d.%d%s" % (*sys.version_info[:2], sys.abiflags), sys.executable)
PYTHON
}

candidates() {
    printf '%s\n' ${PYTHONS:-}
    command -v "python$1"
    command -v python3
    for path in "$ROOT/.pythons/$1/usr/bin/python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "/usr/bin/python$1"; do
        [ -x "$path" ] && echo "$path"
    done
}

find_version() {
    for candidate in $(candidates "$1"); do
        found=$(probe "$candidate")
        status=$?
        [ $status -eq 2 ] && echo "$candidate lacks venv or ensurepip (on Debian: apt install python$1-venv)" >&2
        case $found in "$1 "*) echo "$found"; return 0 ;; esac
    done
    return 1
}

case ${1:-all} in
all)
    for version in $VERSIONS; do
        find_version "$version" || echo "CPython $version: not found" >&2
    done ;;
default)
    for version in $PREFERRED; do
        find_version "$version" 2>/dev/null && exit 0
    done
    echo "no CPython of $VERSIONS with venv found; on Debian: apt install python3-venv" >&2
    exit 1 ;;
debug)
    for version in $PREFERRED; do
        find_version "${version}d" 2>/dev/null && exit 0
    done
    exit 1 ;;
*)
    find_version "$1" || { echo "CPython $1: not found" >&2; exit 1; } ;;
esac
