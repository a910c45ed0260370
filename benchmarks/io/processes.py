"""The processes of a measurement: what is measured on one processor, its peer on another.

They share the working directory, where a Unix socket may be made.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
NATIVE = Path(__file__).parent / "native"
BUILT = ROOT / "build" / "benchmarks"
LIMIT_SECONDS = 30

PROCESSORS = sorted(os.sched_getaffinity(0))
# The first processor is where the system's own work tends to be.
MEASURED, PEER = PROCESSORS[-1], PROCESSORS[0]


class Failed(Exception):  # noqa: N818  # it is a result
    """A measurement that came to nothing, and why."""


def build() -> None:
    """Compiles the load generator and the C server where they are older than their sources."""
    BUILT.mkdir(parents=True, exist_ok=True)
    newest = max(source.stat().st_mtime for source in NATIVE.iterdir())
    for name in ("echo", "load"):
        program = BUILT / name
        if not program.exists() or program.stat().st_mtime < newest:
            compiler, source = os.environ.get("CC", "cc"), NATIVE / f"{name}.c"
            subprocess.run([compiler, "-O2", "-o", program, source, "-ldl"], check=True)


def under_test(loop: str, name: str, *more: str) -> list[str]:
    """Returns the command of a process under test."""
    return [sys.executable, "-m", "benchmarks.io.worker", loop, name, *more]


def load(*arguments: str) -> list[str]:
    """Returns the command of the load generator."""
    return [str(BUILT / "load"), *arguments]


def native_echo(family: str, *behaviour: str) -> list[str]:
    """Returns the command of the C server."""
    address = "unix:socket" if family == "unix" else f"{family}:0"
    return [str(BUILT / "echo"), address, *behaviour]


@contextmanager
def running(command: list[str], processor: int) -> Iterator[subprocess.Popen[str]]:
    """Runs a command pinned to a processor, and kills it in the end."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(_settle_in, processor),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _settle_in(processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def first_line(process: subprocess.Popen[str]) -> str:
    """Returns what a process says once it is ready.

    Raises:
        Failed: It has ended instead.
    """
    line = process.stdout.readline().strip()
    if not line:
        raise Failed(process.stderr.read().strip() or "ended without a word")
    return line


def output(process: subprocess.Popen[str]) -> str:
    """Returns all that a process prints until it ends.

    Raises:
        Failed: It has failed, or takes too long.
    """
    try:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed("took too long") from None
    if process.returncode:
        raise Failed(err.strip() or f"ended with status {process.returncode}")
    return out
