"""Runs the stress where each use of a descriptor that is not open is seen.

python -m tests.python.descriptors.watched --disturbed 100000
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("watch.c")
ROOT = Path(__file__).parents[3]
FAULTS = ("violations", "misused", "leaked", "warnings")


def compiler():
    """Returns a C compiler, or None where there is none."""
    return shutil.which(os.environ.get("CC", "cc"))


def build(folder):
    """Compiles the library that watches, and returns its path."""
    library = folder / "watch.so"
    command = [compiler(), "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return library


def stress(library, folder, *arguments, timeout=None):
    """Runs the program and returns its report, with the uses of closed descriptors as `misused`."""
    log = folder / "log"
    process = subprocess.run(
        [sys.executable, "-m", "tests.python.descriptors", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(library), "DESCRIPTOR_LOG": str(log)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout)
    *misused, closed = log.read_text().splitlines()
    report["misused"] = misused
    report["closed"] = int(closed.removeprefix("closed "))
    return report


def main():
    """Runs the program with the same arguments; the exit status tells whether all was well."""
    with tempfile.TemporaryDirectory() as folder:
        report = stress(build(Path(folder)), Path(folder), *sys.argv[1:])
    print(json.dumps(report, indent=1))
    return int(any(report[fault] for fault in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
