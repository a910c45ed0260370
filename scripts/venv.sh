#!/bin/sh
# Makes a virtual environment: venv.sh VERSION FOLDER GROUP
# VERSION as interpreters.sh takes it, GROUP one of pyproject.toml's dependency groups.
set -eu

line=$("$(dirname "$0")/interpreters.sh" "$1")
rm -rf "$2"
"${line#* }" -m venv "$2"
"$2/bin/python" -m pip install --quiet --upgrade pip
"$2/bin/python" -m pip install --quiet --group "$3"
